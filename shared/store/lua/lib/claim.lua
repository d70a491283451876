-- claim: lease waiting jobs to one owner. No record is written: the lease itself (lib/batch.lua) says who
-- holds which fence of a job and since which turn.
--- @include "batch"
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

-- One suspect by itself, or else the first `count` that wait. Returns them, and if they run exclusively.
local function choose(q, limits, count, request)
  if takes_suspect(q, request) then
    local line = { ids = {}, keys = {}, buffers = {} }
    line_up(line, SUSPECTS, 1, true)
    if not limits or suspect_may_start(q, limits, line.ids[1]) then
      q.suspects = math.max(0, q.suspects - 1)
      return line, true
    end
  end
  return line_of(q, count), false
end

-- Why a claim got fewer jobs than wanted, and ms until there may be more. `asked`: ids asked for.
local function explain_claim(q, batch, line, looked, asked, starts, reason, wait)
  local filled = batch.count == batch.most
  -- What did not fit waits, and so may others behind jobs that were lost or put back.
  if looked < #line.ids and not filled or batch.count == 0 and #line.ids >= asked then return "more", 0 end
  if batch.exclusive == YES then return "suspect", wait end
  if #line.ids == 0 and q.suspect_at then return "limited", q.suspect_at - q.now end
  if #line.ids == 0 and q.suspects > 0 then return "suspect", 0 end -- for a function that runs nothing else
  if #line.ids < asked and looked == #line.ids then return "empty", 0 end
  if batch.most < starts then return "more", 0 end
  return reason, wait
end

-- Returns { claims, count, reason, wait, level }: why not as many as wanted, how long until more (ms),
-- and the bucket's level before: from it the caller computes at which instant each job may start.
local function claim(q, request)
  local starts, reason, wait = may_start(q, request)
  local level, limits = q.bucket.level, limits_of_keys(q, request)
  if limits then look_at_keys(q) end
  if starts <= 0 then
    if limits then close_gate(q, limits) end
    return { claims = {}, count = 0, reason = reason, wait = wait, level = level }
  end
  -- Records are read for as many as a reply has room for, of the average length.
  local most = math.min(starts, math.floor(request.max_bytes / average_bytes()) + 1)
  local asked = request.key_limits and math.max(most, CANDIDATES) or most
  local line, exclusive = choose(q, limits, asked, request)
  local batch = new_batch(q, request, most, exclusive)
  local looked = fill(q, limits, batch, line)
  take(line, looked)
  if not exclusive then q.waits = looked < #line.ids or #line.ids >= asked end
  count_batch(q, batch)
  flush_set(ACTIVE)
  if limits then close_gate(q, limits) end
  reason, wait = explain_claim(q, batch, line, looked, asked, starts, reason, wait)
  if request.rate > 0 then q.bucket.level = q.bucket.level - batch.count * q.bucket.per end
  return { claims = batch.claims, count = batch.count, reason = reason, wait = wait, level = level }
end
