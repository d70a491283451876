-- pop: take waiting ids off the three lists, in the order of their priorities.
--- @include "keys"

-- High before normal before low, except that every 4th claim begins with normal and every 8th with
-- low. A flood of higher jobs therefore leaves the lowest one claim in eight. `turns` counts claims
-- only: turns that just settle or find no token could coincide with the same number each time.
local function lists_in_order(turns)
  if turns % 8 == 7 then return LOW, NORMAL, HIGH end
  if turns % 4 == 3 then return NORMAL, HIGH, LOW end
  return HIGH, NORMAL, LOW
end

-- Up to `count` ids. `q.mixed` is false while only the normal list can hold jobs.
local function pop(q, count)
  if not q.mixed then return call("LPOP", NORMAL, count) or {} end
  local ids, first, second, third = {}, lists_in_order(q.turns)
  q.turns = q.turns + 1
  repeat
    local reply = call("LMPOP", 3, first, second, third, "LEFT", "COUNT", count - #ids)
    if not reply then
      q.mixed = #ids > 0 -- all three are empty: until a job of another priority comes, read only normal
      return ids
    end
    for _, id in ipairs(reply[2]) do ids[#ids + 1] = id end
  until #ids >= count
  return ids
end
