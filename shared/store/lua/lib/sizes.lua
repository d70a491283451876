-- sizes: how many jobs each structure of a queue holds. The queue's own numbers say which structures
-- may hold any; only those are counted.
--- @include "codes"
--- @include "intake"
--- @include "numbers"

-- In the order of stats.lua. `v`: the queue's numbers, ":name" -> text; `count`: command, part -> size.
local function sizes_of(v, count, any_inbox)
  local function size(command, part, may_hold) return may_hold and count(command, part) or 0 end
  local waits = v[":jobs"] and v[":waits"] ~= NO
  local others_wait, completed = waits and v[":mixed"] == YES, tonumber(v[":completed"] or 0)
  local counts = {
    size("LLEN", "high", others_wait), size("LLEN", "normal", waits), size("LLEN", "low", others_wait),
    size("LLEN", "suspects", tonumber(v[":suspects"] or 0) > 0),
    size("ZCARD", "delayed", tonumber(v[":due"] or NEVER) < NEVER) + tonumber(v[":backlog"] or 0),
    size("ZCARD", "active", tonumber(v[":active"] or 0) > 0),
    size("ZCARD", "parked", tonumber(v[":recheck"] or NEVER) < NEVER), completed,
  }
  local others = tonumber(v[":jobs"] or 0)
  for i = 1, 8 do others = others - counts[i] end
  counts[9], counts[10] = size("ZCARD", "cancelled", others ~= 0), 0
  if others ~= counts[9] then counts[10] = count("ZCARD", "dead") end
  counts[11] = size("LLEN", "inbox", any_inbox) + read_intake(v[":intake"]).left
  return counts
end
