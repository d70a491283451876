-- redrive: dead letters (or parked jobs) wait again, with attempts and crashes set to 0. A repeat
-- changes nothing: a job that is neither dead nor parked any more is left alone.
-- ARGV  1 queue  2… ids
-- Returns  billed, one character per id (1 redriven, 0 neither dead nor parked)
--- @include "agenda"
--- @include "codes"
--- @include "keys"
--- @include "priorities"
--- @include "record"
--- @include "undo"
--- @include "usage"
--- @include "writes"
local fields = { ":jobs", ":bytes" }
for i = 2, #ARGV do fields[i + 1] = ARGV[i] end
local values, verdicts, dead, parked, before, lengths = fetch(fields), {}, {}, {}, {}, {}
load_usage(values[1], values[2])
for i = 3, #fields do
  local id = fields[i]
  local job = decode(rewritten[id] or values[i])
  if job and (job.state == STATE.dead or job.state == STATE.parked) then
    table.insert(job.state == STATE.dead and dead or parked, id)
    before[#before + 1], before[#before + 2] = id, job.raw
    job.state, job.attempts, job.crashes, job.reason = STATE.live, 0, 0, NONE
    job.redrives = job.redrives + 1
    save_job(id, job)
    local list = LIST[job.priority]
    buffer_push(list, id)
    lengths[list] = (lengths[list] or 0) + 1
    if job.priority ~= PRIORITY.normal then set_field(":mixed", YES) end
    verdicts[i - 2] = YES
  else
    verdicts[i - 2] = NO
  end
end
if #before == 0 then return { billed, table.concat(verdicts) } end
set_field(":waits", YES)

-- What can fail comes first. The deletions come last: until then the job is still in its set.
write_or(function()
  mark_due(ARGV[1])
  flush_records()
  flush()
  call_chunked("ZREM", DEAD, dead)
  call_chunked("ZREM", PARKED, parked)
end, function()
  for list, length in pairs(lengths) do
    if was_pushed(list) then try("RPOP", list, length) end
  end
  try_chunked("HSET", RECORDS, stored_usage())
  try_chunked("HSET", RECORDS, before)
end)
return { billed, table.concat(verdicts) }
