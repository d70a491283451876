-- resync: recount a queue whose agenda entry or state was lost, or whose clock went back by more than an hour.
--- @include "clock"
--- @include "keys"
--- @include "leases"
--- @include "numbers"
--- @include "staged"
local MOST = 1000 -- of a set a turn

-- Whether the newest time that the queue has seen was that of a clock ahead (lib/clock.lua), or an earlier turn has
-- not brought back all that is of it.
local function went_back(q) return q.ahead or tonumber(q.stored.clock or 0) > q.now end

-- The first members of a set that belong to the time ahead. `q.ahead`: there may be more of them.
local function read_ahead(q, key)
  local members = call("ZRANGEBYSCORE", key, "(" .. whole(q.now + HOUR), "+inf", "LIMIT", 0, MOST)
  q.ahead = q.ahead or #members == MOST
  return members
end

-- Jobs that ended in the time ahead have ended just now, one a millisecond: else what ends from now on would be
-- the oldest, and the first to be deleted.
local function bring_back_ended(q, key)
  local ids, members = read_ahead(q, key), {}
  for i, id in ipairs(ids) do members[2 * i - 1], members[2 * i] = whole(q.now - #ids + i - 1), id end
  call_chunked("ZADD", key, members)
end

-- What was timed while the clock was ahead would stand still until it gets there again: such leases get a new
-- end, as if their functions had just claimed, and ended jobs another instant, MOST of a set at a time. `ahead`:
-- more remain; the next turn continues, and until then retention deletes nothing. The time is the new one at once. With
-- the last of them, all keys and parked jobs are looked at, in their order. Jobs that wait for an instant stay: it
-- may be meant.
local function bring_back(q)
  q.ahead = false
  extend_leases(read_ahead(q, ACTIVE), q.now + q.lease_ms)
  for _, key in ipairs({ COMPLETED, CANCELLED, DEAD }) do bring_back_ended(q, key) end
  if q.ahead then return end
  call("ZUNIONSTORE", KEY_TIMERS, 1, KEY_TIMERS, "WEIGHTS", 0.5)
  call("ZUNIONSTORE", PARKED, 1, PARKED, "WEIGHTS", 0.5)
  q.trim_at = 0
end

-- Recounts the sizes from the structures and assumes that every timer is due and every list holds jobs.
-- `has_keys`: the queue limits its keys, or did so.
local function resync(q, has_keys)
  if went_back(q) then bring_back(q) end
  q.active, q.completed = math.max(0, call("ZCARD", ACTIVE) - #q.closed), call("ZCARD", COMPLETED)
  q.suspects = call("LLEN", SUSPECTS) + buffered(SUSPECTS)
  q.due, q.expiry, q.recheck = 0, 0, 0
  q.waits, q.mixed, q.foreign = true, true, true
  local kept = call("EXISTS", CANCELLED, DEDUP) > 0
  q.cancelled, q.names = kept, kept
  if has_keys then q.backlog, q.key_due, q.counts_backlogs = call("HLEN", BACKLOGS), 0, true end
end
