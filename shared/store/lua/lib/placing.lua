-- placing: the places of the new jobs of an enqueue.
--- @include "agenda"
--- @include "codes"
--- @include "instants"
--- @include "keys"
--- @include "numbers"
--- @include "priorities"
--- @include "writes"
local new_ids, lengths = {}, {} -- lengths: list -> how many new ids
local replaced = {} -- id, record, … as stored, of those that had no place
local placed = { due = NEVER, mixed = false } -- the first instant; whether one has a priority of its own

-- `at`: when it is due, of a delayed job. `before`: its record, where it was stored without a place.
local function place_new(item, state, at, before)
  if before then replaced[#replaced + 1], replaced[#replaced + 2] = item.id, before
  else new_ids[#new_ids + 1] = item.id end
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

-- Buffers what these jobs say of the queue. `due`: the field as stored.
local function set_placed(due)
  if next(lengths) then set_field(":waits", YES) end
  if placed.mixed then set_field(":mixed", YES) end
  if placed.due < tonumber(due or NEVER) then set_field(":due", whole(placed.due)) end
end

local function enter_agenda(queue)
  if next(lengths) then mark_due(queue) elseif placed.due < NEVER then lower_agenda(queue, placed.due) end
end
