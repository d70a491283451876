-- deletes: a record goes in two steps. The HSET that lowers the queue's counts makes it empty, HDEL
-- takes it away. So the counts are right wherever the script stops; an empty record is no job.
--- @include "fields"
--- @include "keys"
--- @include "usage"
--- @include "writes"
local records_to_delete = {} -- ids whose records `remove_deleted` takes away

-- Buffers the deletion of these records: `flush_records` makes them empty. One that is still buffered
-- is not written any more. `raws`: what is stored. Returns the number of jobs, and their bytes.
local function delete_records(ids, raws)
  local jobs, bytes = 0, 0
  for i, id in ipairs(ids) do
    local raw = rewritten[id] or raws[i] or ""
    if not deleted[id] then
      if raw ~= "" then
        add_usage(id, -1, -#id - #raw)
        jobs, bytes = jobs + 1, bytes + #id + #raw
      end
      deleted[id] = true
      records_to_delete[#records_to_delete + 1] = id
    end
  end
  return jobs, bytes
end

local function remove_deleted() delete_fields(records_to_delete, call_chunked) end
