-- recount: replace the counts of jobs and bytes by counted ones, unless they changed while a survey
-- counted.
-- ARGV  1 queue  2 jobs and 3 bytes as the survey found them stored  4 jobs and 5 bytes as counted
-- Returns  billed, 1 replaced, 0 changed meanwhile
--- @include "codes"
--- @include "keys"
local stored = fetch({ ":jobs", ":bytes" })
if (stored[1] or "0") ~= ARGV[2] or (stored[2] or "0") ~= ARGV[3] then return { billed, NO } end
call("HSET", RECORDS, ":jobs", ARGV[4], ":bytes", ARGV[5])
return { billed, YES }
