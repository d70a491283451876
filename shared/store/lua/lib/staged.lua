-- staged: the order of a turn's writes. A script may stop at any write, and Redis keeps those before
-- it, so the source of a move stays until its target is written:
--   1  completed ids, which retention then trims, leases, and timers of keys that get earlier: a repeat
--      writes the same again
--   2  records and the queue's numbers, in one HSET; records to be deleted become empty
--   3  lists: without the ids that were leased, with others; timers and the other ended sets
--   4  what the ids leave: empty records, ended sets, leases, timers, inbox; timers of keys that get later;
--      then the agenda entry, which may only rise here
-- A stop before 2 leaves each lease open for the repeat, or for recovery: lib/phantoms.lua finds those
-- whose jobs still wait, also after a stop before 3. A stop after 2 leaves each source in its set: lib/unfinished.lua, lib/due.lua
-- and the next trim finish the move.
-- Ids of stage 3 can be claimed before they are written: lib/pop.lua takes them from the buffers.
--- @include "agenda"
--- @include "deletes"
--- @include "keys"
--- @include "peek"
--- @include "pop"
--- @include "priorities"
--- @include "undo"
--- @include "writes"
local stage4_writes = {} -- functions that write stage 4

local function flush_set(key)
  if zadds[key] then call_chunked("ZADD", key, zadds[key]) end
  zadds[key] = nil
end

-- The ids that are buffered for the front of a list from now on stand before the earlier ones.
local function begin_group()
  for _, ids in pairs(front_pushes) do ids.behind = #ids end
end

local function depart(write) stage4_writes[#stage4_writes + 1] = write end

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
  if peeked.found > 0 or anything_buffered() then return true end
  return (q.waits or q.suspects > 0) and anything_waits()
end

-- Stages 3 and 4. If one write fails, the next turn recounts the queue and looks at all its timers.
local function move_all(q)
  write_or(function()
    trim_lists()
    flush()
    remove_deleted()
    depart_from(ACTIVE, q.closed)
    for _, write in ipairs(stage4_writes) do write() end
    if q.agenda_write then call("ZADD", AGENDA, q.agenda_write, q.name) end
    if q.agenda_removed then call("ZREM", AGENDA, q.name) end
  end, function() pcall(resync_next, q.name) end)
end
