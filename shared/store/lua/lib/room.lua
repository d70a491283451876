-- room: the oldest completed jobs, then cancelled ones, give way to new ones. They are stored for
-- readers only, so a queue is full only of jobs that still have to run and of ended jobs that a person
-- has to see.
--- @include "keys"
--- @include "numbers"
--- @include "usage"
local kept = { count = 0, bytes = 0 } -- completed jobs, as stored and without those that gave way

local function load_kept(count, bytes)
  kept.count, kept.bytes = tonumber(count or 0), tonumber(bytes or 0)
end

-- Records become empty with the counts, then they go, then their places: so whatever is left after a
-- stop is counted right, and the next trim finds it.
local function delete_oldest(n)
  local key, ids = COMPLETED, call("ZRANGE", COMPLETED, 0, n - 1)
  if #ids == 0 then
    key, ids = CANCELLED, call("ZRANGE", CANCELLED, 0, n - 1)
  end
  if #ids == 0 then return 0 end
  local fields, jobs, bytes = {}, 0, 0
  for i, raw in ipairs(fetch(ids)) do
    if raw and raw ~= "" then
      jobs, bytes = jobs + 1, bytes + #ids[i] + #raw
      fields[#fields + 1], fields[#fields + 2] = ids[i], ""
    end
  end
  release_usage(jobs, bytes)
  if key == COMPLETED then
    load_kept(math.max(0, kept.count - jobs), math.max(0, kept.bytes - bytes))
  end
  local counts = stored_usage()
  counts[5], counts[6], counts[7], counts[8] = ":completed", whole(kept.count), ":completed_bytes", whole(kept.bytes)
  for _, text in ipairs(counts) do fields[#fields + 1] = text end
  call("HSET", RECORDS, unpack(fields))
  call_chunked("HDEL", RECORDS, ids)
  call_chunked("ZREM", key, ids)
  return #ids
end

-- Whether there is room for one more job of so many bytes, if need be after deletions: at most 500.
local function make_room(bytes, max_jobs, max_bytes)
  for _ = 1, 10 do
    if has_room(bytes, max_jobs, max_bytes) then return true end
    if delete_oldest(50) == 0 then return false end
  end
  return has_room(bytes, max_jobs, max_bytes)
end
