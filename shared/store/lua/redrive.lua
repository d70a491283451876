-- redrive: dead letters (or parked jobs) wait again, with attempts and crashes set to 0. A repeat
-- changes nothing: a job that is neither dead nor parked any more is left alone.
-- ARGV  1 queue  2… ids
-- Returns  billed, one character per id (1 redriven, 0 neither dead nor parked)
--- @include "agenda"
--- @include "codes"
--- @include "keys"
--- @include "priorities"
--- @include "record"
--- @include "writes"
local ids = {}
for i = 2, #ARGV do ids[i - 1] = ARGV[i] end
local raws, verdicts, dead, parked = fetch(ids), {}, {}, {}
for i, id in ipairs(ids) do
  local job = decode(rewritten[id] or raws[i])
  if job and (job.state == STATE.dead or job.state == STATE.parked) then
    table.insert(job.state == STATE.dead and dead or parked, id)
    job.state, job.attempts, job.crashes, job.reason = STATE.live, 0, 0, NONE
    job.redrives = job.redrives + 1
    save_job(id, job)
    buffer_push(LIST[job.priority], id)
    if job.priority ~= PRIORITY.normal then set_field(":mixed", YES) end
    verdicts[i] = YES
  else
    verdicts[i] = NO
  end
end
call_chunked("ZREM", DEAD, dead)
call_chunked("ZREM", PARKED, parked)
flush()
flush_records()
if #dead + #parked > 0 then mark_due(ARGV[1]) end
return { billed, table.concat(verdicts) }
