-- claim: lease waiting jobs to one owner. No record is written: the lease itself (lib/batch.lua) has the
-- owner, the fence and the turn.
--- @include "batch"
--- @include "bucket"
--- @include "claim_suspects"
--- @include "codes"
--- @include "fill"
--- @include "key_gate"
--- @include "key_looks"
--- @include "keys"
--- @include "may_start"
--- @include "peek"
--- @include "pop"
--- @include "staged"
--- @include "usage"

-- The first jobs that wait, `asked` ids at most, and those of keys that have room again.
local function claim_line(q, request, limits, most, asked)
  local line = line_of(q, asked)
  q.lease_ms = request.lease_ms + ms_ahead(q.bucket, q.now, request.rate, math.min(most, #line.ids + q.backlog))
  local batch = new_batch(q, request, most, false)
  local looked = fill(q, limits, batch, line.ids)
  q.waits = looked < #line.ids or #line.ids >= asked
  take(line, looked)
  batch.found, batch.looked = #line.ids, looked
  return batch
end

-- Why a claim got fewer jobs than wanted, and ms until there may be more. `asked`: ids asked for;
-- `reason`, `wait`: why not all that are wanted may start.
local function explain_claim(q, request, batch, asked, starts, reason, wait)
  local left = batch.looked < batch.found
  -- What did not fit waits, and so may others behind jobs that were lost or put back.
  if left and batch.count < batch.most or batch.count == 0 and batch.found >= asked then return "more", 0 end
  if batch.exclusive == YES then return "suspect", wait end
  if batch.found + batch.count == 0 and q.suspect_at then
    return "limited", math.max(1, math.min(q.suspect_at, q.key_due) - q.now)
  end
  if batch.found == 0 and q.suspects > 0 then return "suspect", 0 end -- for a function that runs nothing else
  if batch.found < asked and not left then return "empty", 0 end
  if batch.most < starts then return "more", 0 end
  return reason, reason == "limited" and token_wait(q.bucket, request.rate) or wait
end

-- Returns { claims, count, reason, wait, level }: why not as many as wanted, how long until more (ms),
-- and the bucket's level before, for the instants at which the jobs may start.
local function claim(q, request)
  local starts, reason, wait = may_start(q, request)
  local level, limits = q.bucket.level, limits_of_keys(q, request)
  if limits then look_at_keys(q, request, limits) end
  if starts <= 0 then
    if limits then close_gate(q, limits) end
    return { claims = {}, count = 0, reason = reason, wait = wait, level = level }
  end
  -- Records are read for as many as a reply has room for, of the average length.
  local most = math.min(starts, math.floor(request.claim_max_bytes / average_bytes()) + 1)
  local asked = request.key_limits and math.max(most, CANDIDATES) or most
  local batch = takes_suspect(q, request) and claim_suspects(q, request, limits, most)
    or claim_line(q, request, limits, most, asked)
  count_batch(q, batch)
  flush_set(ACTIVE)
  if limits then close_gate(q, limits) end
  if request.rate > 0 then q.bucket.level = q.bucket.level - batch.count * q.bucket.per end
  reason, wait = explain_claim(q, request, batch, asked, starts, reason, wait)
  return { claims = batch.claims, count = batch.count, reason = reason, wait = wait, level = level }
end
