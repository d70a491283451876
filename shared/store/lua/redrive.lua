-- redrive: dead letters (or parked jobs) go back to work with their attempts and crashes set to 0.
-- Twice is once: a job that is not dead any more is left alone.
-- ARGV  1 queue  2… ids
-- Returns  billed, one character an id (1 redriven, 0 not dead)
--- @include "moves"
--- @include "agenda"
local ids = {}
for i = 2, #ARGV do ids[i - 1] = ARGV[i] end
local raws, verdicts, dead, parked = fetch(ids), {}, {}, {}
for i, id in ipairs(ids) do
  local job = decode(renewed[id] or raws[i])
  if job and (job.state == "x" or job.state == "p") then
    table.insert(job.state == "x" and dead or parked, id)
    job.state, job.attempts, job.crashes, job.why = "w", 0, 0, "-"
    job.redrives = job.redrives + 1
    save(id, job)
    push(BAND[job.band], id)
    if job.band ~= "n" then note(":mixed", "1") end
    verdicts[i] = "1"
  else
    verdicts[i] = "0"
  end
end
if #dead > 0 then variadic("ZREM", DEAD, dead) end
if #parked > 0 then variadic("ZREM", PARKED, parked) end
carry_out()
store_records()
if #dead + #parked > 0 then call_to_work(ARGV[1]) end
return { billed, table.concat(verdicts) }
