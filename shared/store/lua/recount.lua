-- recount: replace the counts of jobs and bytes by counted ones, unless they changed while a survey
-- counted.
-- ARGV  1 queue  2 jobs and bytes by shard ("jobs bytes …") as the survey found them stored  3 as counted
-- Returns  billed, 1 replaced, 0 changed meanwhile
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "usage"
load_usage(unpack(fetch(USAGE)))
if usage_text(1) ~= ARGV[2] then return { billed, NO } end
local shard = 0
for jobs, bytes in string.gmatch(ARGV[3], "(%d+) (%d+)") do
  shard = shard + 1
  usage[shard] = { jobs = tonumber(jobs), bytes = tonumber(bytes) }
end
set_fields(stored_usage(), call_chunked)
return { billed, YES }
