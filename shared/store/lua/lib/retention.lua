-- retention: ended jobs stay readable up to a count and an age. Dead letters are never trimmed here.
-- Age is checked every tenth of itself (at least every minute), so a job stays at most a tenth longer.
--- @include "keys"
--- @include "numbers"
--- @include "writes"
local MIN_INTERVAL = 60000
local TRIM_PAGE = 500

-- `settled`: as many jobs as this turn may have added.
local function trim_by_count(q, count, settled)
  if q.completed <= count then return end
  local page = math.min(q.completed - count, TRIM_PAGE + settled)
  local ids = members_of(call("ZPOPMIN", COMPLETED, page))
  q.completed = q.completed - #ids
  delete_records(ids)
end

local function trim_by_age(q, count, age_ms)
  local due = q.trim_at > 0 and q.now >= q.trim_at
  if due or q.trim_at == 0 then q.trim_at = q.now + math.max(MIN_INTERVAL, math.floor(age_ms / 10)) end
  if not due then return end
  for _, key in ipairs({ COMPLETED, CANCELLED }) do
    local ids = call("ZRANGEBYSCORE", key, "-inf", whole(q.now - age_ms), "LIMIT", 0, TRIM_PAGE)
    if #ids == TRIM_PAGE then q.trim_at = q.now end -- there are more: continue in the next turn
    call_chunked("ZREM", key, ids)
    delete_records(ids)
    if key == COMPLETED then q.completed = math.max(0, q.completed - #ids) end
  end
  local extra = call("ZCARD", CANCELLED) - count
  if extra > 0 then
    if extra > TRIM_PAGE then q.trim_at = q.now end
    delete_records(members_of(call("ZPOPMIN", CANCELLED, math.min(extra, TRIM_PAGE))))
  end
end
