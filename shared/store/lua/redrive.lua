-- redrive: dead letters (or parked jobs) wait again, with attempts and crashes set to 0. A dead letter
-- takes the deduplication name that it held until its end; where another job holds it by now, it stays
-- dead. A repeat changes nothing: a job that is neither dead nor parked any more is left alone.
-- ARGV  1 queue  2… ids
-- Returns  billed, one character per id (1 redriven, 0 not)
--- @include "agenda"
--- @include "clock"
--- @include "codes"
--- @include "fields"
--- @include "flags"
--- @include "guards"
--- @include "keys"
--- @include "numbers"
--- @include "priorities"
--- @include "record"
--- @include "undo"
--- @include "usage"
--- @include "writes"
local fields = { ":jobs", ":bytes", ":clock", ":names" }
for i = 2, #ARGV do fields[i + 3] = ARGV[i] end
local values, verdicts, dead, parked, before, lengths = fetch(fields), {}, {}, {}, {}, {}
load_usage(values[1], values[2])

local named, now = {}, 0
for i = 5, #fields do
  local job = decode(values[i])
  if job and job.state == STATE.dead and job.dedup ~= NONE then
    named[#named + 1] = { dedup = job.dedup, idem = NONE }
  end
end
if #named > 0 then
  now = now_ms(tonumber(values[3] or 0))
  load_guards(named, now)
end

-- Whether the job's name is free; it then holds it.
local function takes_name(id, job)
  if job.state ~= STATE.dead or job.dedup == NONE then return true end
  if guard_of(job.dedup, now) then return false end
  set_guard(job.dedup, now, 0, NONE, id, STATE.live)
  return true
end

for i = 5, #fields do
  local id = fields[i]
  local job = decode(rewritten[id] or values[i])
  if job and (job.state == STATE.dead or job.state == STATE.parked) and takes_name(id, job) then
    table.insert(job.state == STATE.dead and dead or parked, id)
    before[#before + 1], before[#before + 2] = id, job.raw
    if job.state == STATE.dead then drop_flag(job, DECIDED) end -- a parked one may still have an end to finish
    job.state, job.attempts, job.crashes, job.reason = STATE.live, 0, 0, NONE
    if now == 0 then now = now_ms(tonumber(values[3] or 0)) end
    job.redrives, job.since = job.redrives + 1, " " .. whole(now)
    save_job(id, job)
    local list = LIST[job.priority]
    buffer_push(list, id)
    lengths[list] = (lengths[list] or 0) + 1
    if job.priority ~= PRIORITY.normal then set_field(":mixed", YES) end
    verdicts[i - 4] = YES
  else
    verdicts[i - 4] = NO
  end
end
if #before == 0 then return { billed, table.concat(verdicts) } end
set_field(":waits", YES)
if #changed_guards > 0 and values[4] ~= YES then set_field(":names", YES) end

-- What can fail comes first. The deletions come last: until then the job is still in its set.
write_or(function()
  mark_due(ARGV[1])
  flush_records()
  flush()
  flush_guards()
  call_chunked("ZREM", DEAD, dead)
  call_chunked("ZREM", PARKED, parked)
end, function()
  undo_guards()
  for list, length in pairs(lengths) do
    if was_pushed(list) then try("RPOP", list, length) end
  end
  set_fields(stored_usage(), try_chunked)
  set_fields(before, try_chunked)
  try_return(DEAD, dead, now)
  try_return(PARKED, parked, now)
end)
return { billed, table.concat(verdicts) }
