-- delete: remove ended jobs for good (dead, completed or cancelled); any other is left alone.
-- ARGV  1 queue  2 code of the state that a job must have ("-": any ended one)  3… ids
-- Returns  billed, one character per id (1 deleted, 0 not in that state or unknown)
--- @include "codes"
--- @include "keys"
--- @include "numbers"
--- @include "places"
--- @include "record"
--- @include "writes"
local expected, ids = ARGV[2], {}
for i = 3, #ARGV do ids[i - 2] = ARGV[i] end
local raws, verdicts, by_set, ended = fetch(ids), {}, {}, {}
local completed, completed_before = 0, tonumber(fetch({ ":completed" })[1] or 0)
for i, id in ipairs(ids) do
  local job = decode(raws[i])
  local set = job and (expected == NONE or job.state == expected) and ENDED[job.state]
  if set then
    if not by_set[set] then by_set[set] = {} end
    table.insert(by_set[set], id)
    ended[#ended + 1] = id
    if set == COMPLETED then completed = completed + 1 end
  end
  verdicts[i] = set and YES or NO
end
for set, members in pairs(by_set) do call_chunked("ZREM", set, members) end
if completed > 0 then set_field(":completed", whole(math.max(0, completed_before - completed))) end
delete_records(ended)
flush_records()
return { billed, table.concat(verdicts) }
