-- cancel: end a waiting, delayed or parked job at once; request an active one to stop.
-- ARGV  1 queue  2 id
-- Returns  billed, then "cancelled", "cancel_requested" (active: its drain is told with its next
--       turn), the state code of a job that had ended already, or "" where there is no such job
--- @include "clock"
--- @include "codes"
--- @include "keys"
--- @include "numbers"
--- @include "places"
--- @include "priorities"
--- @include "record"
--- @include "words"
--- @include "writes"
local id = ARGV[2]
local values = fetch({ ":clock", ":cancel", ":suspects", id })
local latest, requests, suspects = tonumber(values[1] or 0), values[2] or "", tonumber(values[3] or 0)
local job = decode(values[4])
if not job then return { billed, "" } end
if job.state ~= STATE.live and job.state ~= STATE.parked then return { billed, job.state } end

-- Takes the job out of the structure it waits in; false where it is in none.
local function remove_waiting()
  if job.state == STATE.parked then return call("ZREM", PARKED, id) > 0 end
  if call("ZREM", DELAYED, id) > 0 then return true end
  if call("LREM", LIST[job.priority], 1, id) > 0 then return true end
  if call("LREM", SUSPECTS, 1, id) == 0 then return false end
  set_field(":suspects", whole(math.max(0, suspects - 1)))
  return true
end

if not remove_waiting() then -- a function holds its lease
  if not has_word(requests, id) then
    set_field(":cancel", requests .. " " .. id)
    flush_records()
  end
  return { billed, "cancel_requested" }
end
job.reason = NONE
end_job(id, job, STATE.cancelled, now_ms(latest))
save_job(id, job)
flush()
flush_records()
return { billed, "cancelled" }
