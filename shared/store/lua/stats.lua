-- stats: how many jobs each structure holds, the totals and the token bucket. Writes nothing.
-- ARGV  1 queue  2… job types whose durations are wanted
-- Returns  billed, now, sizes (high normal low suspects delayed active parked completed cancelled
--       dead inbox), of high, normal, low and suspects the first id and since when it waits (""), the
--       instant of the last turn, paused, level, per, at, totals, stored jobs and their bytes by shard
--       ("jobs bytes …"), one histogram per type ("" where nothing is stored), counters, the
--       instant that the last run of maintain kept ("")
--- @include "clock"
--- @include "fields"
--- @include "intake"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "usage"
local fields = { ":clock", ":paused", ":level", ":per", ":at", ":totals", ":jobs", ":bytes", ":backlog", ":key_bytes", ":intake" }
for i = 2, #ARGV do fields[#fields + 1] = ":durations:" .. ARGV[i] end
fields[#fields + 1], fields[#fields + 2] = ":counters", ":archive"
local values = fetch(fields)
local reply = { billed, whole(now_ms(tonumber(values[1] or 0))) }
for _, key in ipairs({ HIGH, NORMAL, LOW, SUSPECTS }) do reply[#reply + 1] = call("LLEN", key) end
for _, key in ipairs({ DELAYED, ACTIVE, PARKED, COMPLETED, CANCELLED, DEAD }) do
  reply[#reply + 1] = call("ZCARD", key)
end
reply[7] = reply[7] + tonumber(values[9] or 0) -- those in backlogs of keys are delayed too
reply[#reply + 1] = call("LLEN", INBOX) + read_intake(values[11]).left
local heads = {}
for i, key in ipairs({ HIGH, NORMAL, LOW, SUSPECTS }) do
  heads[i] = reply[2 + i] > 0 and call("LINDEX", key, 0) or ""
end
for i, raw in ipairs(reply[3] + reply[4] + reply[5] + reply[6] > 0 and fetch(heads) or { "", "", "", "" }) do
  local job = decode(raw or nil)
  reply[#reply + 1] = heads[i]
  reply[#reply + 1] = job and job.since or ""
end
for i = 1, 6 do reply[#reply + 1] = values[i] or "" end
load_usage(values[7], values[8] and tonumber(values[8]) + tonumber(values[10] or 0))
reply[#reply + 1] = usage_text(1)
for i = 12, #values do reply[#reply + 1] = values[i] or "" end
reply[1] = billed -- only now are all calls counted
return reply
