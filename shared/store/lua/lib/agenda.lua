-- agenda: one sorted set for the whole deployment: queue -> score. The score is never later than the
-- first instant at which the queue can have work, so a tick finds the queues to drain by one read.
--
--   score   0          1          … instants in ms …             2^53 - 1
--           RESYNC     NOW        work not before this instant   NEVER
--
-- RESYNC  due; the first turn recounts the queue's state from its structures, the inbox included.
-- NOW     due, by any client's clock.
-- NEVER   a paused queue; an entry that nothing waits for is removed.
-- An instant plus a half: jobs wait, and none can run before it (the queue is limited or full).
--
-- Enqueue only lowers an entry. Only a turn that claimed nothing raises or removes one: it has the
-- next instant at which a claim can succeed (a timer, a token, the end of a lease).
--- @include "keys"
--- @include "numbers"
local RESYNC, NOW = 0, 1

local function score_of(instant, held) return whole(instant) .. (held and instant < NEVER and ".5" or "") end

-- `held`: jobs wait and can't run before the instant (paused, full, limited).
local function lower_agenda(queue, instant, held)
  call("ZADD", AGENDA, "LT", score_of(instant, held), queue)
end

local function mark_due(queue) lower_agenda(queue, NOW) end

local function resync_next(queue) call("ZADD", AGENDA, RESYNC, queue) end
