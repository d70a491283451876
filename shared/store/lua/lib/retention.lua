-- retention: ended jobs stay readable up to a count and an age, completed ones also up to half of the
-- bytes that their queue may hold, and while all its jobs together hold no more than it may. Dead letters are never trimmed here. Age is checked every tenth of
-- itself (at least every minute), so a job stays at most a tenth longer; the same check takes expired
-- names of guards away.
--- @include "fields"
--- @include "codes"
--- @include "deletes"
--- @include "keys"
--- @include "names"
--- @include "numbers"
--- @include "staged"
--- @include "usage"
--- @include "writes"
local TRIM_PAGE = 500

-- Takes ids out of an ended set, and the records of those that ended. A turn that stopped may have left
-- an id there whose record is gone, or whose job is live: then only the id goes. Returns how many jobs
-- were deleted, and their bytes.
local function trim(key, ids)
  local raws, ended, ended_raws = fetch(ids), {}, {}
  for i, id in ipairs(ids) do
    local state = string.sub(rewritten[id] or raws[i] or "", 1, 1)
    local may_go = state ~= STATE.live and state ~= STATE.parked and state ~= STATE.dead
    if may_go and raws[i] then -- an empty one is left from a turn that stopped
      ended[#ended + 1] = id
      ended_raws[#ended] = raws[i]
    end
  end
  depart_from(key, ids)
  return delete_records(ended, ended_raws)
end

local function trim_completed(q, ids)
  local count, bytes = trim(COMPLETED, ids)
  q.completed = math.max(0, q.completed - count)
  q.completed_bytes = q.completed > 0 and math.max(0, q.completed_bytes - bytes) or 0
end

-- `settled`: as many jobs as this turn may have added.
local function trim_by_size(q, request, settled)
  local extra, share = q.completed - request.keep_count, math.floor(request.most_bytes / 2)
  local all = queue_usage.bytes + queue_usage.key_bytes
  local rest = math.max(q.completed_bytes - share, math.min(all - request.most_bytes, q.completed_bytes))
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
