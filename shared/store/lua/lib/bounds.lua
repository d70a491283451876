-- bounds: whether one more job is within the bounds of its queue, and of its shard. A shard takes a
-- quarter more than its even share: ids are not spread quite evenly, and so the queue's own bounds are
-- reached first. What comes after the enqueue (results, errors) may grow beyond them, up to the largest
-- entry of the store: so a turn tells at which level the next histories are stored.
--- @include "codes"
--- @include "keys"
--- @include "shards"
--- @include "usage"
local MOST_OF_SHARE = 1.25
-- Above FULL × share histories are short; above SHORT × share, minimal. Follow-ups have room beyond both, so that
-- jobs that wait for them can end and make room. store/usage.py has these numbers.
local FULL, SHORT = 4 / 3, 3 / 2

local function queue_has_room(bytes, max_jobs, max_bytes)
  return queue_usage.jobs < max_jobs and queue_usage.bytes + queue_usage.key_bytes + bytes <= max_bytes
end

local function shard_has_room(id, bytes, max_jobs, max_bytes, most_of_share)
  local shard, part = shard_of(id), (most_of_share or MOST_OF_SHARE) / #SHARDS
  local jobs, used_bytes = used(shard, shard, change)
  if shard == 1 then used_bytes = used_bytes + queue_usage.key_bytes end
  return jobs < max_jobs * part and used_bytes + bytes <= max_bytes * part
end

-- `most_of_share`: nil for the usual multiple of a shard's even share.
local function has_room(id, bytes, max_jobs, max_bytes, most_of_share)
  if not queue_has_room(bytes, max_jobs, max_bytes) then return false end
  return #SHARDS == 1 or shard_has_room(id, bytes, max_jobs, max_bytes, most_of_share)
end

-- The level of the histories that the next settles store, by the bytes of the fullest shard.
local function history_level(max_bytes)
  local fullest, share = 0, max_bytes / #SHARDS
  for shard = 1, #SHARDS do
    local _, bytes = used(shard, shard, change)
    fullest = math.max(fullest, shard == 1 and bytes + queue_usage.key_bytes or bytes)
  end
  if fullest <= share * FULL then return HISTORY_LEVEL.full end
  return fullest <= share * SHORT and HISTORY_LEVEL.short or HISTORY_LEVEL.minimal
end
