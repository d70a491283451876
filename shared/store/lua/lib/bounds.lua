-- bounds: whether one more job is within the bounds of its queue, and of its shard. A shard takes a
-- quarter more than its even share: ids are not spread quite evenly, and so the queue's own bounds are
-- reached first.
--- @include "keys"
--- @include "shards"
--- @include "usage"
local MOST_OF_SHARE = 1.25

local function queue_has_room(bytes, max_jobs, max_bytes)
  return queue_usage.jobs < max_jobs and queue_usage.bytes + queue_usage.key_bytes + bytes <= max_bytes
end

local function shard_has_room(id, bytes, max_jobs, max_bytes)
  local shard, part = shard_of(id), MOST_OF_SHARE / #SHARDS
  local jobs, used_bytes = used(shard, shard, change)
  if shard == 1 then used_bytes = used_bytes + queue_usage.key_bytes end
  return jobs < max_jobs * part and used_bytes + bytes <= max_bytes * part
end

local function has_room(id, bytes, max_jobs, max_bytes)
  if not queue_has_room(bytes, max_jobs, max_bytes) then return false end
  return #SHARDS == 1 or shard_has_room(id, bytes, max_jobs, max_bytes)
end
