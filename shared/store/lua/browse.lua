-- browse: a page of ended (or parked) jobs, newest first. Writes nothing.
-- ARGV  1 queue  2 "dead", "completed", "cancelled" or "parked"  3 newest instant wanted ("+inf" or
--       ms)  4 how many of that instant to skip  5 most jobs
-- Returns  billed, then per job: id, instant, record ("" where it is lost)
--- @include "fields"
--- @include "keys"
local SETS = { dead = DEAD, completed = COMPLETED, cancelled = CANCELLED, parked = PARKED }
local page = call("ZRANGE", SETS[ARGV[2]], ARGV[3], "-inf", "BYSCORE", "REV", "LIMIT", ARGV[4], ARGV[5],
  "WITHSCORES")
local ids, rows = members_of(page), {}
local raws = fetch(ids)
for i, id in ipairs(ids) do
  rows[#rows + 1] = id
  rows[#rows + 1] = page[i * 2]
  rows[#rows + 1] = raws[i] or ""
end
return { billed, unpack(rows) }
