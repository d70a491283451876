-- survey: a page of ids for a repair: of the job records, or of one structure. Writes nothing.
-- ARGV  1 queue  2 number of a shard (from 0), whose records are meant, or the name of a list or
--       sorted set  3 cursor (0: the beginning)  4 most ids (of records: about as many)
--       5 if given: only records of jobs with this option `key`
-- Returns  billed, next cursor (0: the end), stored jobs and their bytes by shard ("jobs bytes …"),
--       then the ids; of records: id, state code ("": the record is damaged), bytes of id and record
--- @include "backlog_entries"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "usage"
local LISTS = { high = HIGH, normal = NORMAL, low = LOW, suspects = SUSPECTS }
local SETS = { delayed = DELAYED, parked = PARKED, completed = COMPLETED, cancelled = CANCELLED, dead = DEAD }
local part, cursor, most, wanted = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
load_usage(unpack(fetch(USAGE)))
local reply = { 0, cursor, usage_text(1) }

local hash = SHARDS[tonumber(part) and tonumber(part) + 1]
if hash then
  local page = call("HSCAN", hash, cursor, "COUNT", most)
  reply[2] = page[1]
  for i = 1, #page[2], 2 do
    local id, raw = page[2][i], page[2][i + 1]
    -- Else a field of the queue's own state, or deleted.
    if string.sub(id, 1, 1) ~= ":" and raw ~= "" then
      local job = decode(raw)
      if not wanted or (job and job.key == wanted) then
        reply[#reply + 1] = id
        reply[#reply + 1] = job and job.state or ""
        reply[#reply + 1] = #id + #raw
      end
    end
  end
elseif part == "backlogs" then
  local page = call("HSCAN", BACKLOGS, cursor, "COUNT", most)
  reply[2] = page[1]
  for _, one in ipairs(read_entries(page[2])) do
    if one.waits then reply[#reply + 1] = one.id end
  end
else
  local first = tonumber(cursor)
  local command, key = LISTS[part] and "LRANGE" or "ZRANGE", LISTS[part] or SETS[part]
  local ids = call(command, key, first, first + most - 1)
  reply[2] = #ids == most and whole(first + most) or "0"
  for _, id in ipairs(ids) do reply[#reply + 1] = id end
end
reply[1] = billed -- only now are all calls counted
return reply
