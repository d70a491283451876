-- agenda: one set for the whole deployment, queue -> an instant not later than the first at which it
-- can have work. NOW is always due whatever a client's clock says; LOOK asks the first turn to look
-- everywhere (the inbox, forgotten hints). Enqueue only lowers an entry; only a turn that found
-- nothing to claim may raise or remove it, because then nothing waits. A turn that did claim lowers it
-- where its timers come more than a SECOND before what the agenda was told last.
--- @include "keys"
--- @include "numbers"
local LOOK, NOW = 0, 1
local SECOND = 1000

local function call_to_work(queue) call("ZADD", AGENDA, "LT", NOW, queue) end

-- Answers what the agenda has now been told.
local function reschedule(queue, instant)
  if instant >= NEVER then
    call("ZREM", AGENDA, queue)
    return 0
  end
  call("ZADD", AGENDA, whole(instant), queue)
  return instant
end

-- The queue's entry after a turn: when can there be work again? Only a turn that claimed nothing knows that nothing waits.
local function update_agenda(q, ask, got)
  local timer = math.min(q.due, q.recheck, q.leased > 0 and q.expiry or NEVER)
  if got.why == "empty" then
    local first = math.min(q.due, q.expiry, q.recheck)
    if q.leased == 0 then first = timer end
    if first < NEVER then got.wait = math.max(1, first - q.now) end
  end
  local idle = got.why == "empty" and q.suspects == 0 and not q.foreign
  if ask.want == 0 then idle = not anything_waits() end
  if ask.want > 0 and got.claimed > 0 then
    -- A retry or a shorter lease comes before what was told, or more may wait than was claimed.
    if timer < q.told - SECOND or (got.why ~= "empty" and q.told > q.now) then
      q.told = got.why == "empty" and timer or NOW
      call("ZADD", AGENDA, "LT", whole(q.told), ask.queue)
    end
  elseif ask.want > 0 and (got.why == "paused" or got.why == "full") then
    q.told = reschedule(ask.queue, q.leased > 0 and q.expiry or NEVER)
  elseif ask.want > 0 and got.why == "limited" then
    q.told = reschedule(ask.queue, math.min(timer, q.now + got.wait))
  elseif idle then
    q.told = reschedule(ask.queue, timer)
  else -- there may be more behind what was popped in vain
    call_to_work(ask.queue)
  end
end
