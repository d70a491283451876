-- browse: a page of ended jobs, newest first. Writes nothing.
-- ARGV  1 queue  2 "dead", "completed", "cancelled" or "parked"  3 newest instant wanted ("+inf" or
--       ms)  4 how many of that instant to skip  5 most jobs
-- Returns  billed, then per job: id, instant, record
--- @include "keys"
local HOME = { dead = DEAD, completed = COMPLETED, cancelled = CANCELLED, parked = PARKED }
local page = call("ZRANGE", HOME[ARGV[2]], ARGV[3], "-inf", "BYSCORE", "REV", "LIMIT", ARGV[4], ARGV[5], "WITHSCORES")
local ids, reply = {}, {}
for i = 1, #page, 2 do ids[#ids + 1] = page[i] end
local raws = fetch(ids)
for i, id in ipairs(ids) do
  reply[#reply + 1] = id
  reply[#reply + 1] = page[i * 2]
  reply[#reply + 1] = raws[i] or ""
end
return { billed, unpack(reply) }
