-- delete: remove ended jobs for good (dead, completed or cancelled); any other is left alone. The sets
-- come before the records: a repeat finds a job by its record.
-- ARGV  1 queue  2 code of the state that a job must have ("-": any ended one)  3… ids
-- Returns  billed, one character per id (1 deleted, 0 not in that state or unknown)
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "places"
--- @include "record"
--- @include "usage"
--- @include "writes"
local expected, fields = ARGV[2], { ":jobs", ":bytes", ":completed" }
for i = 3, #ARGV do fields[i + 1] = ARGV[i] end
local values, verdicts, by_set, ended, raws, seen = fetch(fields), {}, {}, {}, {}, {}
load_usage(values[1], values[2])
for i = 4, #fields do
  local id, job = fields[i], decode(values[i])
  local set = job and not seen[id] and (expected == NONE or job.state == expected) and ENDED[job.state]
  if set then
    by_set[set] = by_set[set] or {}
    table.insert(by_set[set], id)
    ended[#ended + 1], raws[#raws + 1], seen[id] = id, job.raw, true
  end
  verdicts[i - 3] = set and YES or NO
end
for set, members in pairs(by_set) do call_chunked("ZREM", set, members) end
delete_records(ended, raws)
local completed = by_set[COMPLETED] and #by_set[COMPLETED] or 0
if completed > 0 then
  set_field(":completed", whole(math.max(0, tonumber(values[3] or 0) - completed)))
end
flush_records()
return { billed, table.concat(verdicts) }
