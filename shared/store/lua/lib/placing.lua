-- placing: the places of the new jobs of an enqueue, and how an undo takes them away again.
--- @include "codes"
--- @include "fields"
--- @include "instants"
--- @include "keys"
--- @include "numbers"
--- @include "priorities"
--- @include "undo"
--- @include "usage"
--- @include "writes"
local new_ids, lengths = {}, {} -- lengths: list -> how many new ids
local placed = { due = NEVER, mixed = false } -- the first instant; whether one has a priority of its own

-- `at`: when it is due, of a delayed job.
local function place_new(item, state, at)
  new_ids[#new_ids + 1] = item.id
  if state == STATE.delayed then
    buffer_zadd(DELAYED, score_at(at, item.run_at > 0), item.id)
    placed.due = math.min(placed.due, at)
  else
    local list = LIST[item.priority]
    buffer_push(list, item.id)
    lengths[list] = (lengths[list] or 0) + 1
  end
  placed.mixed = placed.mixed or item.priority ~= PRIORITY.normal
end

local function take_back_new()
  for list, length in pairs(lengths) do
    if was_pushed(list) then try("RPOP", list, length) end
  end
  try_chunked("ZREM", DELAYED, new_ids)
  delete_fields(new_ids, try_chunked)
  set_fields(stored_usage(), try_chunked)
end
