-- drop: delete ended jobs for good (dead, completed or cancelled); a live one is left alone.
-- ARGV  1 queue  2… ids
-- Returns  billed, one character an id (1 deleted, 0 not ended or unknown)
--- @include "numbers"
--- @include "moves"
local HOME = { x = DEAD, c = COMPLETED, k = CANCELLED }
local ids = {}
for i = 2, #ARGV do ids[i - 1] = ARGV[i] end
local raws, verdicts, by_home, deleted, completed = fetch(ids), {}, {}, {}, 0
local kept = tonumber(fetch({ ":kept" })[1] or 0)
for i, id in ipairs(ids) do
  local job = decode(raws[i])
  local home = job and HOME[job.state]
  if home then
    if not by_home[home] then by_home[home] = {} end
    table.insert(by_home[home], id)
    deleted[#deleted + 1] = id
    if home == COMPLETED then completed = completed + 1 end
  end
  verdicts[i] = home and "1" or "0"
end
for home, members in pairs(by_home) do variadic("ZREM", home, members) end
if completed > 0 then note(":kept", whole(math.max(0, kept - completed))) end
forget(deleted)
store_records()
return { billed, table.concat(verdicts) }
