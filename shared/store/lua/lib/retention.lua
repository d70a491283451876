-- retention: ended jobs stay readable up to a count and an age. Dead letters are never trimmed here.
-- Age is checked every tenth of itself (at least every minute), so a job stays at most a tenth longer.
--- @include "fields"
--- @include "keys"
--- @include "codes"
--- @include "numbers"
--- @include "staged"
--- @include "undo"
--- @include "writes"
local MIN_INTERVAL = 60000
local TRIM_PAGE = 500

-- Deletes those of the records that ended. An id may stand in an ended set while its job is live: a
-- turn stopped before it had written the record.
local function delete_ended(ids)
  local raws, ended, ended_raws = fetch(ids), {}, {}
  for i, id in ipairs(ids) do
    local state = string.sub(rewritten[id] or raws[i] or "", 1, 1)
    if state ~= STATE.live and state ~= STATE.parked and state ~= STATE.dead then
      ended[#ended + 1] = id
      ended_raws[#ended] = raws[i]
    end
  end
  delete_records(ended, ended_raws)
end

-- `settled`: as many jobs as this turn may have added.
local function trim_by_count(q, count, settled)
  if q.completed <= count then return end
  local page = math.min(q.completed - count, TRIM_PAGE + settled)
  local oldest = call("ZPOPMIN", COMPLETED, page)
  local ids = members_of(oldest)
  q.completed = q.completed - #ids
  write_or(function() delete_ended(ids) end, function()
    for i = 1, #oldest, 2 do try("ZADD", COMPLETED, oldest[i + 1], oldest[i]) end
  end)
end

local function trim_by_age(q, count, age_ms)
  local due = q.trim_at > 0 and q.now >= q.trim_at
  if due or q.trim_at == 0 then q.trim_at = q.now + math.max(MIN_INTERVAL, math.floor(age_ms / 10)) end
  if not due then return end
  flush_set(CANCELLED) -- what this turn adds counts too
  for _, key in ipairs({ COMPLETED, CANCELLED }) do
    local ids = call("ZRANGEBYSCORE", key, "-inf", whole(q.now - age_ms), "LIMIT", 0, TRIM_PAGE)
    if #ids == TRIM_PAGE then q.trim_at = q.now end -- there are more: continue in the next turn
    delete_ended(ids)
    call_chunked("ZREM", key, ids)
    if key == COMPLETED then q.completed = math.max(0, q.completed - #ids) end
  end
  local extra = call("ZCARD", CANCELLED) - count
  if extra > 0 then
    if extra > TRIM_PAGE then q.trim_at = q.now end
    local ids = call("ZRANGE", CANCELLED, 0, math.min(extra, TRIM_PAGE) - 1)
    delete_ended(ids)
    call_chunked("ZREM", CANCELLED, ids)
  end
end
