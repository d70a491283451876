-- cancel: end a waiting, delayed or parked job at once; request an active one to stop. Its record and
-- the open leases tell where the job is. Only a job that waits in a list is searched for, in that one
-- list: the search reads at most the whole list.
-- ARGV  1 queue  2 id  3 age (ms) to which ended jobs are kept
-- Returns  billed, then "cancelled", "cancel_requested" (active: its drain sees it within some 15 s, or too
--       late, because how it ends is decided), the state code of a job that had ended already, or "" where
--       there is no such job
--- @include "agenda"
--- @include "clock"
--- @include "codes"
--- @include "fields"
--- @include "flags"
--- @include "key_state"
--- @include "keys"
--- @include "numbers"
--- @include "places"
--- @include "record"
--- @include "unplaced"
--- @include "usage"
--- @include "words"
--- @include "writes"
local id = ARGV[2]
local values = fetch({ ":clock", ":cancel", ":suspects", ":jobs", ":bytes", ":trim_at", ":paused", ":backlog", id })
local latest, requests, suspects = tonumber(values[1] or 0), values[2] or "", tonumber(values[3] or 0)
local trim_at, paused = tonumber(values[6] or 0), values[7] == YES
load_usage(values[4], values[5])
local job = decode(values[9])
if not job then return { billed, "" } end
if job.state ~= STATE.live and job.state ~= STATE.parked then return { billed, job.state } end

if has_flag(job, DECIDED) then return { billed, "cancel_requested" } end

-- The structure that holds the job, and the instant at which it is due, or 0 if it is not delayed.
local function find_place()
  if job.state == STATE.parked then return PARKED, 0 end
  local due = call("ZSCORE", DELAYED, id)
  if due then return DELAYED, tonumber(due) end
  if is_leased(id, job) then return ACTIVE, 0 end
  if position_of(job.reason) then return BACKLOGS, NEVER end
  return list_of(job), 0
end

local place, due = find_place()
if place == ACTIVE then
  if not has_word(requests, id) then
    set_field(":cancel", requests .. " " .. id)
    flush_records()
  end
  return { billed, "cancel_requested" }
end
-- The record first: from then on the job is cancelled, whatever still names it.
if place == SUSPECTS then set_field(":suspects", whole(math.max(0, suspects - 1))) end
local now = now_ms(latest)
if trim_at == 0 then
  trim_at = now + math.max(60000, math.floor(tonumber(ARGV[3]) / 10))
  set_field(":trim_at", whole(trim_at))
end
set_field(":cancelled", YES)
-- A turn must come for the trim. The job had an entry on the agenda, but maybe a later one.
if paused or due > trim_at then lower_agenda(ARGV[1], trim_at, paused) end
local entry = place == BACKLOGS and backlog_entry(job.key, position_of(job.reason))
local stands = entry and call("HGET", BACKLOGS, entry) == id
if stands then set_field(":backlog", whole(math.max(0, tonumber(values[8] or 0) - 1))) end
job.reason = NONE
end_job(id, job, STATE.cancelled, now)
save_job(id, job)
flush_records()
flush()
if place == PARKED or place == DELAYED then
  call("ZREM", place, id)
elseif stands then
  call("HDEL", BACKLOGS, entry)
elseif place ~= BACKLOGS then
  call("LREM", place, 1, id)
end
return { billed, "cancelled" }
