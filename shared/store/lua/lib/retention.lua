-- retention: ended jobs stay readable up to a count and an age. Dead letters are never trimmed here.
-- By age it looks every tenth of that age (at least a minute), so a job stays at most a tenth longer.
--- @include "keys"
--- @include "numbers"
--- @include "moves"
local TRIM_EVERY = 60000
local TRIM_PAGE = 500

local function trim(q, count, age_ms)
  if q.kept > count then
    local page = call("ZPOPMIN", COMPLETED, math.min(q.kept - count, TRIM_PAGE))
    local ids = {}
    for i = 1, #page, 2 do ids[#ids + 1] = page[i] end
    q.kept = q.kept - #ids
    forget(ids)
  end
  local due = q.trimmed > 0 and q.now >= q.trimmed
  if due or q.trimmed == 0 then q.trimmed = q.now + math.max(TRIM_EVERY, math.floor(age_ms / 10)) end
  if not due then return end
  for _, key in ipairs({ COMPLETED, CANCELLED }) do
    local ids = call("ZRANGEBYSCORE", key, "-inf", whole(q.now - age_ms), "LIMIT", 0, TRIM_PAGE)
    if #ids == TRIM_PAGE then q.trimmed = q.now end -- there are more: look again in the next turn
    if #ids > 0 then
      variadic("ZREM", key, ids)
      forget(ids)
      if key == COMPLETED then q.kept = math.max(0, q.kept - #ids) end
    end
  end
end
