-- next_work: the queue's agenda entry at the end of a turn: when can there be work again?
--- @include "agenda"
--- @include "keys"
--- @include "numbers"
--- @include "priorities"

-- A turn that claimed leaves an entry alone that is late by less than this (ms): one command saved.
local SLACK = 1000

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

-- Also tells an empty turn how long to wait.
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
