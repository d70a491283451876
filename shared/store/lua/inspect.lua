-- inspect: one job as it stands, and what its queue would say to it. Writes nothing.
-- ARGV  1 queue  2 id
-- Returns  billed, "found", now, paused, level, per, rate at, leased, record, position (waiting delayed
--       active parked or "-"), its instant, its lease, stopping; or just billed when there is no such
--       job
--- @include "clock"
--- @include "numbers"
--- @include "record"
local id = ARGV[2]
local values = fetch({ ":paused", ":clock", ":level", ":per", ":at", ":leased", ":cancel", id })
local job = decode(values[8])
if not job then return { billed, values[8] and "damaged" or "" , values[8] or "" } end
local now = now_ms(tonumber(values[2] or 0))
local position, instant, lease = "-", 0, ""
if job.state == "w" then
  position = "waiting"
  local due = call("ZSCORE", DELAYED, id)
  if due then
    position, instant = "delayed", due
  else
    for _, member in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
      if string.sub(member, 1, #id + 1) == id .. " " then
        position, lease, instant = "active", member, call("ZSCORE", ACTIVE, member)
      end
    end
  end
elseif job.state == "p" then
  position, instant = "parked", call("ZSCORE", PARKED, id) or 0
elseif job.state == "c" then
  instant = call("ZSCORE", COMPLETED, id) or 0
elseif job.state == "k" then
  instant = call("ZSCORE", CANCELLED, id) or 0
elseif job.state == "x" then
  instant = call("ZSCORE", DEAD, id) or 0
end
local stopping = string.find(" " .. (values[7] or "") .. " ", " " .. id .. " ", 1, true) and 1 or 0
return { billed, "found", whole(now), values[1] == "1" and 1 or 0, values[3] or "0", values[4] or "0", values[5] or "0",
  values[6] or "0", job.raw, position, tostring(instant), lease, stopping }
