-- resync: recount a queue whose agenda entry or state was lost, or whose clock went back by more than an hour.
--- @include "clock"
--- @include "keys"
--- @include "leases"
--- @include "numbers"
--- @include "staged"
local MOST = 1000 -- leases a turn

-- Whether the newest time that the queue has seen was that of a clock ahead (lib/clock.lua).
local function went_back(q) return tonumber(q.stored.clock or 0) > q.now end

-- What was timed while the clock was ahead would stand still until it gets there again: such leases get a new
-- end, as if their functions had just claimed, MOST at a time. `is_ahead`: more leases remain; the stored clock
-- stays ahead so that the next turn continues. With the last of them, all keys and parked jobs are looked at, in
-- their order. Jobs that wait for an instant stay: it may be meant.
local function bring_back(q)
  local leases = call("ZRANGEBYSCORE", ACTIVE, "(" .. whole(q.now + HOUR), "+inf", "LIMIT", 0, MOST)
  extend_leases(leases, q.now + q.lease_ms)
  q.is_ahead = #leases == MOST
  if q.is_ahead then return end
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
