-- usage: how many jobs the hashes of records hold, and the bytes of their ids and records. All
-- together stand in ":jobs" and ":bytes", and those of the shards but the first in ":shards" ("jobs
-- bytes jobs bytes …"). They are written with the records, so that an enqueue can refuse before a hash
-- reaches the largest entry that the store accepts.
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "shards"
local USAGE = { ":jobs", ":bytes" }
local usage, change = {}, {} -- shard -> { jobs, bytes }: as stored; by this script
-- Of all shards, as this script leaves them; key_bytes: of the states of keys, in the first shard
local queue_usage = { jobs = 0, bytes = 0, key_bytes = 0 }
for shard = 1, #SHARDS do usage[shard], change[shard] = { jobs = 0, bytes = 0 }, { jobs = 0, bytes = 0 } end

-- A script that reads the two fields with others passes them on here. One that does not pays a read
-- of its own, and only if the usage changes.
local function load_usage(jobs, bytes, key_bytes)
  local first = usage[1]
  first.jobs, first.bytes, queue_usage.is_loaded = tonumber(jobs or 0), tonumber(bytes or 0), true
  queue_usage.jobs, queue_usage.bytes = queue_usage.jobs + first.jobs, queue_usage.bytes + first.bytes
  queue_usage.key_bytes = tonumber(key_bytes or 0)
  for shard = 2, #SHARDS do
    local one = usage[shard]
    one.jobs, one.bytes = further[shard * 2 - 3] or 0, further[shard * 2 - 2] or 0
    first.jobs, first.bytes = first.jobs - one.jobs, first.bytes - one.bytes
  end
end

local function add_usage(id, jobs, bytes)
  local one = change[shard_of(id)]
  one.jobs, one.bytes = one.jobs + jobs, one.bytes + bytes
  queue_usage.jobs, queue_usage.bytes = queue_usage.jobs + jobs, queue_usage.bytes + bytes
end

-- A job that is deleted whatever becomes of the other writes of this script, so no undo restores it.
local function release_usage(id, bytes)
  local one = usage[shard_of(id)]
  one.jobs, one.bytes = one.jobs - 1, one.bytes - bytes
  queue_usage.jobs, queue_usage.bytes = queue_usage.jobs - 1, queue_usage.bytes - bytes
end

-- Jobs and bytes of these shards; with `change` as this script leaves them.
local function used(first, last, counts)
  local jobs, bytes = 0, 0
  for shard = first, last do
    jobs, bytes = jobs + usage[shard].jobs, bytes + usage[shard].bytes
    if counts then jobs, bytes = jobs + counts[shard].jobs, bytes + counts[shard].bytes end
  end
  return jobs, bytes
end

-- Bytes of a stored job on average, at least 1.
local function average_bytes()
  local jobs, bytes = used(1, #SHARDS, nil)
  return jobs > 0 and math.max(1, bytes / jobs) or 1
end

-- Jobs and bytes by shard, as one text.
local function usage_text(first, counts)
  local texts = {}
  for shard = first, #SHARDS do
    local jobs, bytes = used(shard, shard, counts)
    texts[#texts + 1] = whole(jobs) .. " " .. whole(bytes)
  end
  return table.concat(texts, " ")
end

-- field, value, … with the counts of this script added, or not. A count that was lost (evicted,
-- damaged) never gets negative.
local function usage_fields(counts)
  local jobs, bytes = used(1, #SHARDS, counts)
  local fields = { USAGE[1], whole(math.max(0, jobs)), USAGE[2], whole(math.max(0, bytes)) }
  if #SHARDS > 1 then fields[5], fields[6] = ":shards", usage_text(2, counts) end
  return fields
end

local function changed_usage()
  local changed = false
  for shard = 1, #SHARDS do changed = changed or change[shard].jobs ~= 0 or change[shard].bytes ~= 0 end
  if not changed then return {} end
  if not queue_usage.is_loaded then load_usage(unpack(fetch(USAGE))) end
  return usage_fields(change)
end

-- As before this script.
local function stored_usage() return usage_fields(nil) end
