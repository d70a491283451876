-- resync: recount a queue whose agenda entry or state was lost.
--- @include "keys"
--- @include "staged"

-- Recounts the sizes from the structures and assumes that every timer is due and every list holds jobs.
local function resync(q)
  q.active, q.completed = math.max(0, call("ZCARD", ACTIVE) - #q.closed), call("ZCARD", COMPLETED)
  q.suspects = call("LLEN", SUSPECTS) + buffered(SUSPECTS)
  q.due, q.expiry, q.recheck = 0, 0, 0
  q.waits, q.mixed, q.foreign = true, true, true
  local kept = call("EXISTS", CANCELLED, DEDUP) > 0
  q.cancelled, q.names = kept, kept
end
