-- cancel: end a waiting, delayed or parked job at once; ask an active one to stop.
-- ARGV  1 queue  2 id
-- Returns  billed, "cancelled", "asked" (active: its drain learns it with its next turn), the
--       final state letter of a job that had ended already, or "" when there is no such job
--- @include "clock"
--- @include "moves"
local id = ARGV[2]
local values = fetch({ ":clock", ":cancel", ":suspects", id })
local job = decode(values[4])
if not job then return { billed, "" } end
if job.state ~= "w" and job.state ~= "p" then return { billed, job.state } end

local found
if job.state == "p" then
  found = call("ZREM", PARKED, id) > 0
else
  found = call("ZREM", DELAYED, id) > 0 or call("LREM", BAND[job.band], 1, id) > 0
  if not found and call("LREM", SUSPECTS, 1, id) > 0 then
    found = true
    note(":suspects", whole(math.max(0, tonumber(values[3] or 0) - 1)))
  end
end
if not found then -- it is neither waiting nor delayed: somebody holds a lease
  if not string.find(" " .. (values[2] or "") .. " ", " " .. id .. " ", 1, true) then
    note(":cancel", (values[2] or "") .. " " .. id)
    store_records()
  end
  return { billed, "asked" }
end
job.state, job.why = "k", "-"
finish(job)
save(id, job)
place(CANCELLED, now_ms(tonumber(values[1] or 0)), id)
carry_out()
store_records()
return { billed, "cancelled" }
