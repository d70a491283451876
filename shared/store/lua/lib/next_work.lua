-- next_work: the queue's agenda entry at the end of a turn: when can there be work again?
--- @include "agenda"
--- @include "inbox"
--- @include "keys"
--- @include "leases"
--- @include "numbers"
--- @include "staged"
--- @include "writes"

local SLACK = 1000 -- after a claim an entry that is late by less (ms) stays: one command saved

-- `held`: half a millisecond in the score, so that a sweep does not take the lists for forgotten work.
-- Written last (lib/staged.lua): a turn that stops before leaves an entry that is early.
local function set_agenda(q, instant, held)
  if instant >= NEVER and not held then
    q.agenda_removed, q.agenda_at = true, 0
  else
    q.agenda_write = score_of(instant, held)
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

-- A foreign producer that pushes while a drain is under way marks the agenda for a turn that recounts.
-- This turn is about to replace that mark, so it looks itself, if the queue ever had such a producer.
-- While it has no room for what waits there, it does not look. A turn that left records for the next one (it
-- made room for them, or finished a page) was not empty: its drain takes them at once.
local function look_at_inbox(q, request, claimed)
  local held = inbox_is_held(q, request)
  if held and zadds[CANCELLED] then q.foreign = true end -- jobs that this turn cancelled give way in the next
  local looks = q.inbox and not (q.inbox_read or q.foreign or held)
  if looks and call("EXISTS", INBOX, INTAKE) > 0 then q.foreign = true end
  if q.foreign and claimed.reason == "empty" then claimed.reason = "more" end
end

-- Also sets the wait of an empty turn.
local function update_agenda(q, request, claimed)
  local lease_end = q.active > 0 and q.expiry or NEVER
  if zadds[CANCELLED] then q.cancelled = true end
  local keeps = q.completed > 0 or q.cancelled or q.names
  local trim = keeps and q.trim_at > 0 and q.trim_at or NEVER
  local timer = math.min(q.due, q.recheck, q.key_due, lease_end)
  if claimed.count == 0 then look_at_inbox(q, request, claimed) end
  local reason = claimed.reason
  if reason == "empty" and timer < NEVER then claimed.wait = math.max(1, timer - q.now) end
  -- An empty turn has popped all that waits, except suspects and what foreign producers pushed.
  local more_waits = reason ~= "empty" or q.suspects > 0 or q.foreign

  if q.ahead then -- the next turn brings back more (lib/resync.lua)
    mark_due(q.name)
    if reason == "empty" then claimed.reason = "more" end
  elseif claimed.count > 0 and reason == "limited" then
    hold_agenda(q, q.now + q.lease_ms - request.lease_ms, q.now + claimed.wait)
  elseif claimed.count > 0 then
    advance_agenda(q, timer, more_waits)
  elseif reason == "paused" or reason == "full" then
    set_agenda(q, math.min(lease_end, trim), true)
  elseif request.want == 0 then -- this turn did not look for jobs
    if anything_left(q) or q.foreign then mark_due(q.name) else set_agenda(q, math.min(timer, trim)) end
  elseif reason == "limited" then -- no key's job can start before then
    set_agenda(q, math.min(q.due, q.recheck, lease_end, trim, q.now + claimed.wait), true)
  elseif more_waits then
    mark_due(q.name)
  else
    set_agenda(q, math.min(timer, trim))
  end
end
