-- usage: how many jobs the records hash holds, and the bytes of their ids and records. It is kept in
-- the queue's fields ":jobs" and ":bytes", in the same HSET as the records, so that an enqueue can
-- refuse before the hash reaches the largest entry that the store accepts.
--- @include "keys"
--- @include "numbers"
local USAGE = { ":jobs", ":bytes" }
local usage = { jobs = 0, bytes = 0 } -- as stored
local change = { jobs = 0, bytes = 0 } -- by this script

-- A script that reads the two fields with others passes them on here. One that does not pays a read
-- of its own, and only if the usage changes.
local function load_usage(jobs, bytes)
  usage.jobs, usage.bytes, usage.is_loaded = tonumber(jobs or 0), tonumber(bytes or 0), true
end

local function add_usage(jobs, bytes)
  change.jobs, change.bytes = change.jobs + jobs, change.bytes + bytes
end

-- Jobs that are deleted whatever becomes of the other writes of this script, so no undo restores them.
local function release_usage(jobs, bytes)
  usage.jobs, usage.bytes = usage.jobs - jobs, usage.bytes - bytes
end

-- Bytes of a stored job on average, at least 1.
local function average_bytes() return usage.jobs > 0 and math.max(1, usage.bytes / usage.jobs) or 1 end

-- Whether one more job of so many bytes is within the bounds.
local function has_room(bytes, max_jobs, max_bytes)
  return usage.jobs + change.jobs < max_jobs and usage.bytes + change.bytes + bytes <= max_bytes
end

-- field, value, … of what changed. A count that was lost (evicted, damaged) never gets negative.
local function changed_usage()
  if change.jobs == 0 and change.bytes == 0 then return {} end
  if not usage.is_loaded then load_usage(unpack(fetch(USAGE))) end
  return { USAGE[1], whole(math.max(0, usage.jobs + change.jobs)),
    USAGE[2], whole(math.max(0, usage.bytes + change.bytes)) }
end

-- field, value, … as they were before this script.
local function stored_usage()
  return { USAGE[1], whole(math.max(0, usage.jobs)), USAGE[2], whole(math.max(0, usage.bytes)) }
end
