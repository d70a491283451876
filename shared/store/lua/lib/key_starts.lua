-- key_starts: starts of jobs from the backlogs of keys that have room again. No record is written: the
-- lease says that the job runs, and the key's state that it left the backlog.
--- @include "backlog_moves"
--- @include "backlogs"
--- @include "key_looks"
--- @include "key_room"
--- @include "key_states"
--- @include "keys"
--- @include "peek"
--- @include "record"
local HOLES = 1000 -- entries read of all backlogs beyond those that may start: some jobs were cancelled

-- Key -> how many of its backlog may start: `most` in all.
local function count_startable(q, limits, most)
  local counts, total = {}, 0
  for _, key in ipairs(looked_at) do
    local state = key_states[key]
    local wanted = math.min(most - total, state.next - state.first)
    local room = wanted > 0 and room_of(q, limits, state, wanted) or 0
    if room > 0 then counts[key], total = room, total + room end
  end
  return counts, total
end

-- The ids of their backlogs with the records of those that may start.
local function read_backlogs(counts)
  local entries, wanted, lengths, keys = {}, {}, {}, 0
  for _ in pairs(counts) do keys = keys + 1 end
  for key, count in pairs(counts) do
    lengths[key] = math.min(key_states[key].next - key_states[key].first, count + math.ceil(HOLES / keys))
  end
  local ids = first_of_backlogs(lengths)
  for key, count in pairs(counts) do
    for _, id in ipairs(ids[key]) do
      if id and count > 0 then wanted[#wanted + 1], count = id, count - 1 end
    end
  end
  for i, raw in ipairs(records_of(wanted)) do entries[wanted[i]] = raw end
  return ids, entries, #wanted
end

-- Starts the first jobs of one backlog. Returns false once the batch is full.
local function start_backlog(q, limits, state, ids, raws, count, start)
  for _, id in ipairs(ids) do
    local raw = id and raws[id]
    local fence, key, reason = read_waiting(raw or "")
    if (id and raw == nil) or count == 0 then return true end -- beyond those whose records were read
    if fence and key == state.key and position_of(reason) == state.first then
      if not start(id, fence, key, raw) then return false end
      take_room(q, limits, state)
      count = count - 1
    end
    leave_backlog(q, state, id)
  end
  return true
end

-- Leases the first jobs of backlogs, `most` at most. `start`: id, fence, key, record -> whether it fits.
local function start_backlogs(q, limits, most, start)
  local counts, total = count_startable(q, limits, most)
  if total == 0 then return end
  local ids, raws, found = read_backlogs(counts)
  if found == 0 and call("HLEN", BACKLOGS) == 0 then -- purged
    for key in pairs(counts) do key_states[key].first = key_states[key].next end
    q.backlog = 0
    return
  end
  for _, key in ipairs(looked_at) do
    if counts[key] and not start_backlog(q, limits, key_states[key], ids[key], raws, counts[key], start) then
      return
    end
  end
end
