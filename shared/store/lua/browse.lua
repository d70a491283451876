-- browse: a page of ended (or parked) jobs, newest first. Writes nothing.
-- ARGV  1 queue  2 "dead", "completed", "cancelled" or "parked"  3 newest instant wanted ("+inf" or
--       ms)  4 how many of that instant to skip  5 most jobs
-- Returns  billed, then per job: id, instant, record without its payload ("" where it is lost)
--- @include "fields"
--- @include "keys"
--- @include "record"
-- A longer first line is no body of ours, and a damaged record may be of any length.
local LONGEST_LINE = 4096

local function without_payload(raw)
  local job = decode(raw)
  if not job then return string.sub(raw or "", 1, LONGEST_LINE) end
  job.history = string.sub(raw, job.body_at + job.length)
  local first_line = string.find(raw, "\n", job.body_at, true) or 0
  job.length = math.max(0, math.min(first_line - job.body_at + 1, job.length, LONGEST_LINE))
  return encode(job)
end

local SETS = { dead = DEAD, completed = COMPLETED, cancelled = CANCELLED, parked = PARKED }
local page = call("ZRANGE", SETS[ARGV[2]], ARGV[3], "-inf", "BYSCORE", "REV", "LIMIT", ARGV[4], ARGV[5],
  "WITHSCORES")
local ids, rows = members_of(page), {}
local raws = fetch(ids)
for i, id in ipairs(ids) do
  rows[#rows + 1] = id
  rows[#rows + 1] = page[i * 2]
  rows[#rows + 1] = without_payload(raws[i])
end
return { billed, unpack(rows) }
