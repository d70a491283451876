-- resync: recount a queue whose agenda entry or state was lost.
--- @include "keys"
--- @include "staged"

-- Recounts the sizes from the structures and assumes that every timer is due and every list holds jobs.
-- `has_keys`: the queue limits its keys, or did so.
local function resync(q, has_keys)
  q.active, q.completed = math.max(0, call("ZCARD", ACTIVE) - #q.closed), call("ZCARD", COMPLETED)
  q.suspects = call("LLEN", SUSPECTS) + buffered(SUSPECTS)
  q.due, q.expiry, q.recheck = 0, 0, 0
  q.waits, q.mixed, q.foreign = true, true, true
  local kept = call("EXISTS", CANCELLED, DEDUP) > 0
  q.cancelled, q.names = kept, kept
  if has_keys then q.backlog, q.key_due, q.counts_backlogs = call("HLEN", BACKLOGS), 0, true end
end
