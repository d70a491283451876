-- agenda: one sorted set for the whole deployment: queue -> score. The score is never later than the
-- first instant at which the queue can have work, so one read tells a tick which queues to drain.
--
--   score   0          1          … instants in ms …             2^53 - 1
--           RESYNC     NOW        work not before this instant   NEVER: the entry is removed
--
-- RESYNC  due; the first turn recounts the queue's state from its structures, the inbox included.
-- NOW     due, whatever a client's clock says.
-- NEVER   nothing waits and no timer runs.
--
-- Enqueue only lowers an entry. Raising or removing one needs a turn that found nothing to claim,
-- because only then is it certain that nothing waits.
--- @include "keys"
--- @include "numbers"
--- @include "priorities"
local RESYNC, NOW = 0, 1
-- A turn that claimed leaves an entry alone that is late by less than this (ms): one command saved.
local SLACK = 1000

local function lower_agenda(queue, instant) call("ZADD", AGENDA, "LT", whole(instant), queue) end

local function mark_due(queue) lower_agenda(queue, NOW) end

local function resync_next(queue) call("ZADD", AGENDA, RESYNC, queue) end

local function set_agenda(q, instant)
  if instant >= NEVER then
    call("ZREM", AGENDA, q.name)
    q.agenda_at = 0
  else
    call("ZADD", AGENDA, whole(instant), q.name)
    q.agenda_at = instant
  end
end

-- After a claim: lower the entry if a timer is due before it (a retry, a shorter lease), or if more
-- jobs may be waiting than were claimed.
local function advance_agenda(q, timer, empty)
  if timer < q.agenda_at - SLACK or (not empty and q.agenda_at > q.now) then
    q.agenda_at = empty and timer or NOW
    lower_agenda(q.name, q.agenda_at)
  end
end

-- The queue's entry at the end of a turn: when can there be work again? Also tells an empty turn how
-- long to wait.
local function update_agenda(q, want, claimed)
  local lease_end = q.active > 0 and q.expiry or NEVER
  local timer = math.min(q.due, q.recheck, lease_end)
  local reason, empty = claimed.reason, claimed.reason == "empty"
  if empty and timer < NEVER then claimed.wait = math.max(1, timer - q.now) end

  if want == 0 then -- this turn did not look for jobs
    if anything_waits() then mark_due(q.name) else set_agenda(q, timer) end
  elseif claimed.count > 0 then
    advance_agenda(q, timer, empty)
  elseif reason == "paused" or reason == "full" then
    set_agenda(q, lease_end)
  elseif reason == "limited" then
    set_agenda(q, math.min(timer, q.now + claimed.wait))
  elseif empty and q.suspects == 0 and not q.foreign then
    set_agenda(q, timer)
  else -- suspects, the inbox, or jobs behind lost ones that were popped
    mark_due(q.name)
  end
end
