-- writes: a write buffer. A script decides job by job and buffers what must change; `flush` and
-- `flush_records` then need one command per structure, whatever the number of jobs.
--- @include "buffers"
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "record"
--- @include "usage"
local rewritten = {} -- id -> record that this script has buffered
local state_fields = {} -- field, value, … of the queue's state, stored in the same hash
local deleted = {} -- id -> true: this script deletes the record (lib/deletes.lua)
local pushes, front_pushes, zadds, ended_names = {}, {}, {}, {}

local function set_field(field, value)
  state_fields[#state_fields + 1] = field
  state_fields[#state_fields + 1] = value
end

-- `before`: the stored record (this script may have replaced it already); nil for a new job.
local function save_record(id, raw, before)
  before = rewritten[id] or before or ""
  if before ~= "" then add_usage(id, 0, #raw - #before) else add_usage(id, 1, #id + #raw) end
  rewritten[id] = raw
end

local function save_job(id, job) save_record(id, encode(job), job.raw) end

local function buffer_push(key, id)
  local ids = buffer_of(pushes, key)
  ids[#ids + 1] = id
end

-- LPUSH reverses its arguments, and so does this: the first id buffered ends up first in line.
-- `behind`: how many ids of earlier groups stay behind the new ones.
local function buffer_push_front(key, id)
  local ids = buffer_of(front_pushes, key)
  table.insert(ids, 1 + (ids.behind or 0), id)
end

local function buffer_zadd(key, score, member)
  local members = buffer_of(zadds, key)
  members[#members + 1] = text_of(score)
  members[#members + 1] = member
end

-- The job ends, and with it the deduplication that holds until then.
local function release_dedup(job)
  if job.dedup ~= NONE then ended_names[#ended_names + 1] = job.dedup end
end
local function was_pushed(key) return not pushes[key] end -- by `flush`, for an undo
-- Writes everything but the records, which are written once, at the end of the script.
local function flush()
  for key, ids in pairs(pushes) do
    call_chunked("RPUSH", key, ids)
    pushes[key] = nil
  end
  for key, ids in pairs(front_pushes) do call_chunked("LPUSH", key, ids) end
  for key, members in pairs(zadds) do call_chunked("ZADD", key, members) end
  call_chunked("HDEL", DEDUP, ended_names)
  pushes, front_pushes, zadds, ended_names = {}, {}, {}, {}
end

-- The usage comes first: if a later chunk fails, too much is counted and not too little.
local function flush_records(own_last)
  local fields = changed_usage()
  for id, raw in pairs(rewritten) do
    if not deleted[id] then fields[#fields + 1], fields[#fields + 2] = id, raw end
  end
  for id in pairs(deleted) do fields[#fields + 1], fields[#fields + 2] = id, "" end
  for _, value in ipairs(state_fields) do fields[#fields + 1] = value end
  set_fields(fields, call_chunked, own_last)
end
