-- retention: ended jobs stay readable up to a count and an age, completed ones also up to half of the
-- bytes that their queue may hold, and while all its jobs together hold no more than it may. Dead letters
-- are never trimmed here. Age is checked every tenth of itself (at least every minute), so a job stays at
-- most a tenth longer; the same check takes expired names of guards away.
--- @include "inbox"
--- @include "keys"
--- @include "names"
--- @include "numbers"
--- @include "staged"
--- @include "trims"
--- @include "usage"

-- Ended jobs give way to records of the inbox that the queue has no room for.
local function make_room_for_inbox(q, request)
  if not inbox_is_held(q, request) then return end
  local ids = call("ZRANGE", COMPLETED, 0, INBOX_PAGE - 1)
  if #ids > 0 then trim_completed(q, ids) end
  if #ids == 0 and q.cancelled then
    ids = call("ZRANGE", CANCELLED, 0, INBOX_PAGE - 1)
    trim(CANCELLED, ids)
  end
  q.foreign = q.foreign or #ids > 0
end

-- `settled`: as many jobs as this turn may have added.
local function trim_by_size(q, request, settled)
  if q.ahead then return end -- those of a time ahead seem the youngest until all are brought back
  if q.inbox_held > 0 then make_room_for_inbox(q, request) end
  local extra, share = q.completed - request.keep_count, math.floor(request.queue_max_bytes / 2)
  local all = queue_usage.bytes + queue_usage.key_bytes
  local rest = math.max(q.completed_bytes - share, math.min(all - request.queue_max_bytes, q.completed_bytes))
  if rest > 0 then -- as many as hold the rest on average, but never the youngest
    local heavy = math.ceil(rest * q.completed / q.completed_bytes)
    extra = math.max(extra, math.min(heavy, q.completed - 1))
  end
  if extra <= 0 then return end
  trim_completed(q, call("ZRANGE", COMPLETED, 0, math.min(extra, TRIM_PAGE + settled) - 1))
end

-- Returns whether names are left.
local function trim_names(q)
  local seen, expired = delete_expired_names(q.now, TRIM_PAGE, {})
  if seen == TRIM_PAGE and 4 * expired > seen then q.trim_at = q.now end
  return seen > expired or seen == TRIM_PAGE
end

local function trim_cancelled(q, count, ids)
  trim(CANCELLED, ids)
  local left = call("ZCARD", CANCELLED) - #ids
  local extra = math.max(0, math.min(left - count, TRIM_PAGE))
  if left - count > TRIM_PAGE then q.trim_at = q.now end
  if extra > 0 then trim(CANCELLED, call("ZRANGE", CANCELLED, #ids, #ids + extra - 1)) end
  return left > extra
end

local function trim_periodically(q, count, age_ms)
  if q.ahead then return end
  local due = q.trim_at > 0 and q.now >= q.trim_at
  if due or q.trim_at == 0 then q.trim_at = q.now + math.max(60000, math.floor(age_ms / 10)) end
  if not due then return end
  flush_set(CANCELLED) -- what this turn adds counts too
  local old = {}
  for _, key in ipairs({ COMPLETED, CANCELLED }) do
    old[key] = call("ZRANGEBYSCORE", key, "-inf", whole(q.now - age_ms), "LIMIT", 0, TRIM_PAGE)
    if #old[key] == TRIM_PAGE then q.trim_at = q.now end -- there are more: continue in the next turn
  end
  trim_completed(q, old[COMPLETED])
  q.cancelled = trim_cancelled(q, count, old[CANCELLED])
  if q.names then q.names = trim_names(q) end
end
