-- staged: the order of a turn's writes. A script may stop at any write, and Redis keeps those before
-- it, so the source of a move stays until its target is written:
--   1  completed ids, which retention then trims, and leases: a repeat writes the same again
--   2  records and the queue's numbers, in one HSET
--   3  lists, timers and the other ended sets
--   4  what the ids leave: leases, timers, inbox; then the agenda entry, which may only rise here
-- A stop before 2 leaves each lease open for the repeat. A stop after 2 leaves each source in its
-- set: lib/unfinished.lua and lib/due.lua finish the move.
-- Two gaps are left, which a failed write undoes and only a repair mends after a cut: ids between their
-- list and their leases (a claim), and completed ids between their set and their records (a trim).
-- Ids of stage 3 can be claimed before they are written: lib/pop.lua takes them from the buffers.
--- @include "agenda"
--- @include "keys"
--- @include "priorities"
--- @include "undo"
--- @include "writes"
local departures = {} -- functions that write stage 4

local function flush_set(key)
  if zadds[key] then call_chunked("ZADD", key, zadds[key]) end
  zadds[key] = nil
end

-- The ids that are buffered for the front of a list from now on stand before the earlier ones.
local function begin_group()
  for _, ids in pairs(front_pushes) do ids.behind = #ids end
end

local function depart(write) departures[#departures + 1] = write end

local function depart_from(key, members)
  if #members > 0 then depart(function() call_chunked("ZREM", key, members) end) end
end

-- Ids buffered for either end of this list.
local function buffered(key) return #(pushes[key] or {}) + #(front_pushes[key] or {}) end

local function anything_buffered()
  for _, key in ipairs({ HIGH, NORMAL, LOW, SUSPECTS }) do
    if buffered(key) > 0 then return true end
  end
  return false
end

-- Whether a job waits. The lists are looked at only if one of them may hold a job.
local function anything_left(q)
  return anything_buffered() or ((q.waits or q.suspects > 0) and anything_waits())
end

-- Stages 3 and 4. If one write fails, the next turn recounts the queue and looks at all its timers.
local function move_all(q)
  write_or(function()
    flush()
    depart_from(ACTIVE, q.closed)
    for _, write in ipairs(departures) do write() end
    if q.agenda_write then call("ZADD", AGENDA, q.agenda_write, q.name) end
    if q.agenda_gone then call("ZREM", AGENDA, q.name) end
  end, function() pcall(resync_next, q.name) end)
end
