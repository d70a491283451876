-- existing: the job that already stands for one that is to be enqueued: under the same idempotency
-- key, the same deduplication name or the same id.
--- @include "codes"
--- @include "guards"
--- @include "record"
local others = {} -- id, state, … of the jobs answered instead of a new one

local function answer_with(code, id, state)
  others[#others + 1] = id
  others[#others + 1] = state
  return code
end

local function answer_duplicate(item, now, id, state)
  set_guard(item.idem, now, item.idem_ttl, item.fingerprint, id, string.upper(state))
  return answer_with(ANSWER.duplicate, id, state)
end

-- The code to answer; nil where the job is new. `stored`: the record under the item's id, if any.
local function find_existing(item, now, stored)
  local same = guard_of(item.idem, now)
  if same then
    if same.fingerprint ~= item.fingerprint then return ANSWER.mismatch end
    local state = string.lower(same.state)
    return answer_with(state == same.state and ANSWER.same_request or ANSWER.duplicate, same.id, state)
  end
  local twin = guard_of(item.dedup, now)
  if twin then return answer_duplicate(item, now, twin.id, twin.state) end
  if stored then return answer_duplicate(item, now, item.id, state_of(stored)) end
end
