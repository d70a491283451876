-- next_work: the queue's agenda entry at the end of a turn: when can there be work again?
--- @include "agenda"
--- @include "leases"
--- @include "numbers"
--- @include "staged"

-- A turn that claimed leaves an entry alone that is late by less than this (ms): one command saved.
local SLACK = 1000

-- `held`: jobs wait and can't run before the instant (paused, full, limited). A sweep does not take
-- their lists for forgotten work: half a millisecond in the score says so.
-- Written last (lib/staged.lua): a turn that stops before leaves an entry that is early.
local function set_agenda(q, instant, held)
  if instant >= NEVER and not held then
    q.agenda_gone, q.agenda_at = true, 0
  else
    q.agenda_write = whole(instant) .. (held and instant < NEVER and ".5" or "")
    q.agenda_at = instant
  end
end

-- After a claim that took all tokens until `last`: other functions find nothing to do before the next
-- one comes.
local function hold_agenda(q, last, next_token)
  if q.expiry < last then read_expiry(q) end -- else it may be that of a lease closed long ago
  local instant = math.min(q.due, q.recheck, q.expiry, next_token)
  if q.agenda_at < last and instant > math.max(q.now, q.agenda_at) + SLACK then
    set_agenda(q, instant, true)
  elseif q.agenda_at > instant + SLACK then
    q.agenda_at = instant
    lower_agenda(q.name, instant)
  end
end

-- After a claim: lower the entry if a timer is due before it (a retry, a shorter lease), or if more
-- jobs may be waiting than were claimed.
local function advance_agenda(q, timer, more_waits)
  if timer < q.agenda_at - SLACK or (more_waits and q.agenda_at > q.now) then
    q.agenda_at = more_waits and NOW or timer
    lower_agenda(q.name, q.agenda_at)
  end
end

-- Also tells an empty turn how long to wait.
local function update_agenda(q, request, claimed)
  local lease_end = q.active > 0 and q.expiry or NEVER
  local trim = q.completed > 0 and q.trim_at > 0 and q.trim_at or NEVER
  local timer = math.min(q.due, q.recheck, lease_end)
  local reason = claimed.reason
  if reason == "empty" and timer < NEVER then claimed.wait = math.max(1, timer - q.now) end
  -- An empty turn has popped all that waits, except suspects and what foreign producers pushed.
  local more_waits = reason ~= "empty" or q.suspects > 0 or q.foreign

  if claimed.count > 0 and reason == "limited" then
    hold_agenda(q, q.now + q.lease_ms - request.lease_ms, q.now + claimed.wait)
  elseif claimed.count > 0 then
    advance_agenda(q, timer, more_waits)
  elseif reason == "paused" or reason == "full" then
    set_agenda(q, lease_end, true)
  elseif request.want == 0 then -- this turn did not look for jobs
    if anything_left(q) then mark_due(q.name) else set_agenda(q, math.min(timer, trim)) end
  elseif reason == "limited" then
    set_agenda(q, math.min(timer, q.now + claimed.wait), true)
  elseif more_waits then
    mark_due(q.name)
  else
    set_agenda(q, math.min(timer, trim))
  end
end
