-- bounds: whether one more job is within the bounds of its queue, and of its shard. A shard takes a
-- quarter more than its even share: ids are not spread quite evenly, and so the queue's own bounds are
-- reached first.
--- @include "keys"
--- @include "shards"
--- @include "usage"
local MOST_OF_SHARE = 1.25

local function fits(first, last, bytes, max_jobs, max_bytes)
  local jobs, total = used(first, last, change)
  return jobs < max_jobs and total + bytes <= max_bytes
end

local function queue_has_room(bytes, max_jobs, max_bytes)
  return fits(1, #SHARDS, bytes, max_jobs, max_bytes)
end

local function shard_has_room(id, bytes, max_jobs, max_bytes)
  if #SHARDS == 1 then return true end
  local shard, part = shard_of(id), MOST_OF_SHARE / #SHARDS
  return fits(shard, shard, bytes, max_jobs * part, max_bytes * part)
end

local function has_room(id, bytes, max_jobs, max_bytes)
  return queue_has_room(bytes, max_jobs, max_bytes) and shard_has_room(id, bytes, max_jobs, max_bytes)
end
