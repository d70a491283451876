-- bounds: whether one more job is within the bounds of its queue, and of its shard. A shard takes a
-- quarter more than its even share: ids are not spread quite evenly, and so the queue's own bounds are
-- reached first. What comes after the enqueue (results, errors) may grow beyond them, up to the largest
-- entry of the store: so a turn tells how much of a history may still be kept.
--- @include "codes"
--- @include "keys"
--- @include "shards"
--- @include "usage"
local MOST_OF_SHARE = 1.25
local WHOLE, SHORT = 4 / 3, 5 / 3 -- of the even share of the bytes: histories are whole; they are short

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

-- How much of a job's history its next settle may keep, by the bytes of the fullest shard.
local function kept_history(max_bytes)
  local fullest, share = 0, max_bytes / #SHARDS
  for shard = 1, #SHARDS do
    local _, bytes = used(shard, shard, change)
    fullest = math.max(fullest, shard == 1 and bytes + queue_usage.key_bytes or bytes)
  end
  if fullest <= share * WHOLE then return KEPT.whole end
  return fullest <= share * SHORT and KEPT.short or KEPT.least
end
