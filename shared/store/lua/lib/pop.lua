-- pop: the waiting ids that a claim takes, in the order of their priorities. A list begins with the ids
-- buffered for its front and ends with those buffered for its end (lib/staged.lua). Stored ids are only
-- read here. They leave their list after their leases are written: a script that stops between leaves
-- leases that no function holds (lib/phantoms.lua), and no job is lost.
--- @include "keys"
--- @include "peek"
--- @include "writes"
local pops = {} -- list -> how many of its stored ids leave it

-- High before normal before low, except that every 4th claim begins with normal and every 8th with
-- low. A flood of higher jobs therefore leaves the lowest one claim in eight. `turns` counts claims
-- only: turns that just settle or find no token could coincide with the same number each time.
local function lists_in_order(turns)
  if turns % 8 == 7 then return { LOW, NORMAL, HIGH } end
  if turns % 4 == 3 then return { NORMAL, HIGH, LOW } end
  return { HIGH, NORMAL, LOW }
end

local function add(line, id, key, buffers)
  local at = #line.ids + 1
  line.ids[at], line.keys[at], line.buffers[at] = id, key, buffers
end

-- Adds the ids of one list until there are `count`. `stored_waits`: the stored list may hold some.
local function line_up(line, key, count, stored_waits)
  local front, stored, behind = front_pushes[key] or {}, {}, pushes[key] or {}
  for i = #front, math.max(1, #front - (count - #line.ids) + 1), -1 do -- LPUSH reverses its arguments
    add(line, front[i], key, front_pushes)
  end
  local missing = count - #line.ids
  if key == NORMAL and peeked.ids then
    stored = peeked.ids
  elseif missing > 0 and stored_waits then
    stored = call("LRANGE", key, 0, missing - 1)
  end
  for i = 1, math.min(#stored, missing) do add(line, stored[i], key, nil) end
  for i = 1, math.min(#behind, count - #line.ids) do add(line, behind[i], key, pushes) end
end

-- Up to `count` waiting ids. `q.waits` is false while no list can hold jobs, `q.mixed` while only the
-- normal one can.
local function line_of(q, count)
  local line, order = { ids = {}, keys = {}, buffers = {} }, { NORMAL }
  if q.mixed then
    order = lists_in_order(q.turns)
    q.turns = q.turns + 1
  end
  for _, key in ipairs(order) do
    if #line.ids < count then line_up(line, key, count, q.waits) end
  end
  if q.mixed and #line.ids < count then q.mixed = #line.ids > 0 end -- all are empty: until another priority
  return line
end

-- Takes the first `count` ids off: from a buffer at once, from a stored list with `trim_lists`.
local function take(line, count)
  for i = 1, count do
    local key, buffers = line.keys[i], line.buffers[i]
    if not buffers then
      pops[key] = (pops[key] or 0) + 1
    elseif buffers == pushes then
      table.remove(buffers[key], 1)
    else
      table.remove(buffers[key])
    end
  end
end

local function trim_lists()
  for key, count in pairs(pops) do call("LTRIM", key, count, -1) end
end
