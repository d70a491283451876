-- agenda: one set for the whole deployment, queue -> an instant not later than the first at which it
-- can have work. NOW is always due whatever a client's clock says; LOOK asks the first turn to look
-- everywhere (the inbox, forgotten hints). Enqueue only lowers an entry; only a turn that found
-- nothing to claim may raise or remove it, because then nothing waits. A turn that did claim lowers it
-- where its timers come more than a SECOND before what the agenda was told last.
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
