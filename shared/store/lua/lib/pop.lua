-- pop: take waiting ids off the lists, in the order of their priorities. A list begins with the ids
-- buffered for its front and ends with those buffered for its end (see lib/staged.lua).
--- @include "buffers"
--- @include "keys"
--- @include "staged"
--- @include "writes"
local origin, popped, returned = {}, {}, {} -- id -> { list, buffer }; list -> ids, in their order

-- High before normal before low, except that every 4th claim begins with normal and every 8th with
-- low. A flood of higher jobs therefore leaves the lowest one claim in eight. `turns` counts claims
-- only: turns that just settle or find no token could coincide with the same number each time.
local function lists_in_order(turns)
  if turns % 8 == 7 then return LOW, NORMAL, HIGH end
  if turns % 4 == 3 then return NORMAL, HIGH, LOW end
  return HIGH, NORMAL, LOW
end

local function add_all(ids, key, found)
  for _, id in ipairs(found) do
    ids[#ids + 1], origin[id] = id, { key }
    local stored = buffer_of(popped, key)
    stored[#stored + 1] = id
  end
end

local function take_buffered(ids, buffers, key, count, at)
  local buffer = buffers[key]
  while buffer and #buffer > 0 and #ids < count do
    local id = table.remove(buffer, at or #buffer)
    ids[#ids + 1], origin[id] = id, { key, buffers }
  end
end

-- Adds ids of one list until there are `count`. `stored`: the list in the store may hold some.
local function take_from(ids, key, count, stored)
  take_buffered(ids, front_pushes, key, count) -- LPUSH reverses it: the last one is the first in line
  if stored and #ids < count then add_all(ids, key, call("LPOP", key, count - #ids) or {}) end
  take_buffered(ids, pushes, key, count, 1)
end

-- Up to `count` ids. `q.waits` is false while no list can hold jobs, `q.mixed` while only the normal
-- one can.
local function pop(q, count)
  local ids, stored = {}, q.waits
  if not q.mixed then
    take_from(ids, NORMAL, count, stored)
    q.waits = #ids >= count
    return ids
  end
  local first, second, third = lists_in_order(q.turns)
  q.turns = q.turns + 1
  if anything_buffered() then
    for _, key in ipairs({ first, second, third }) do
      if #ids < count then take_from(ids, key, count, stored) end
    end
  elseif stored then
    repeat
      local reply = call("LMPOP", 3, first, second, third, "LEFT", "COUNT", count - #ids)
      if reply then add_all(ids, reply[1], reply[2]) end
    until not reply or #ids >= count
  end
  q.waits = #ids >= count
  if not q.waits then q.mixed = #ids > 0 end -- all three are empty: until another priority, only normal
  return ids
end

-- Ids that were taken and are not claimed, in their order, go back to the head of where they stood.
local function put_back(q, ids)
  q.waits = q.waits or #ids > 0
  for i = #ids, 1, -1 do
    local key, buffers = unpack(origin[ids[i]])
    if not buffers then table.insert(buffer_of(returned, key), ids[i])
    elseif buffers == pushes then table.insert(buffers[key], 1, ids[i])
    else table.insert(buffers[key], ids[i]) end
  end
  for key, back in pairs(returned) do call_chunked("LPUSH", key, back) end
end

-- For an undo: whatever was popped waits again. An id may then stand twice in its list.
local function unpop()
  for key, ids in pairs(popped) do
    local back = {}
    for i = #ids, 1, -1 do back[#back + 1] = ids[i] end
    pcall(call_chunked, "LPUSH", key, back)
  end
end
