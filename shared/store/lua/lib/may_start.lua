-- may_start: how many of the wanted jobs the pause, the concurrency and the rate of a queue allow now.
--- @include "bucket"
--- @include "numbers"
--- @include "staged"
local function takes_suspect(q, request)
  return q.suspects > 0 and (request.exclusive or request.isolated)
end

-- How many jobs may start now, why not all that are wanted, and when more may (ms; 0: unknown).
local function may_start(q, request)
  local starts, reason, wait = request.want, "more", 0
  if request.rate > 0 then
    refill(q.bucket, q.now, request.rate, request.per, request.burst)
    give_back(q.bucket, q.unspent, request.rate, request.burst)
  end
  if q.paused then return 0, "paused", 0 end
  local room = request.concurrency > 0 and request.concurrency - q.active or NEVER
  if room <= 0 or starts > room then
    -- Not one assignment: GopherLua before 2019 writes a call's result over another local there.
    starts = math.max(0, room)
    reason = "full"
  end
  if request.rate > 0 then
    -- A suspect starts at once: nothing else runs while it would wait for the time of its token.
    local ahead = takes_suspect(q, request) and 0 or request.ahead_ms
    local tokens = tokens_in(q.bucket, request.rate, ahead)
    if starts > tokens then starts, reason, wait = tokens, "limited", token_wait(q.bucket, request.rate) end
  end
  -- Without a token nothing is popped, so only a read of the lists shows whether a job waits for one.
  if reason == "limited" and starts == 0 and not anything_left(q) then
    q.waits = false
    if q.backlog == 0 then reason, wait = "empty", 0 end
  end
  return starts, reason, wait
end
