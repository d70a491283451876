-- delete: remove ended jobs for good (dead, completed or cancelled); any other is left alone. The sets
-- come last: an id that a stop leaves in one goes with a repeat, or with the next trim.
-- ARGV  1 queue  2 code of the state that a job must have ("-": any ended one)  3… ids
-- Returns  billed, one character per id (1 deleted, 0 not in that state or unknown)
--- @include "codes"
--- @include "fields"
--- @include "deletes"
--- @include "keys"
--- @include "numbers"
--- @include "places"
--- @include "record"
--- @include "usage"
--- @include "writes"
local expected, fields = ARGV[2], { ":jobs", ":bytes", ":completed", ":completed_bytes" }
for i = 3, #ARGV do fields[i + 2] = ARGV[i] end
local values, verdicts, by_set, ended, raws, seen = fetch(fields), {}, {}, {}, {}, {}
load_usage(values[1], values[2])
local completed, completed_bytes = 0, 0

local function add_to(set, id)
  by_set[set] = by_set[set] or {}
  table.insert(by_set[set], id)
end

for i = 5, #fields do
  local id, job = fields[i], decode(values[i])
  local set = job and not seen[id] and (expected == NONE or job.state == expected) and ENDED[job.state]
  if set then
    add_to(set, id)
    ended[#ended + 1], raws[#raws + 1], seen[id] = id, job.raw, true
    if set == COMPLETED then completed, completed_bytes = completed + 1, completed_bytes + #id + #job.raw end
  elseif not values[i] or values[i] == "" then
    add_to(DEAD, id) -- nothing trims this set, and the record is gone
  end
  verdicts[i - 4] = set and YES or NO
end
delete_records(ended, raws)
if completed > 0 then
  set_field(":completed", whole(math.max(0, tonumber(values[3] or 0) - completed)))
  set_field(":completed_bytes", whole(math.max(0, tonumber(values[4] or 0) - completed_bytes)))
end
flush_records(true) -- a stop between two shards counts too much, not too little
remove_deleted()
for set, members in pairs(by_set) do call_chunked("ZREM", set, members) end
return { billed, table.concat(verdicts) }
