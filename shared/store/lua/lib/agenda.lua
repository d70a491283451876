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
local RESYNC, NOW = 0, 1

local function lower_agenda(queue, instant) call("ZADD", AGENDA, "LT", whole(instant), queue) end

local function mark_due(queue) lower_agenda(queue, NOW) end

local function resync_next(queue) call("ZADD", AGENDA, RESYNC, queue) end
