-- existing: the job that already stands for one that is to be enqueued: under the same idempotency
-- key, the same deduplication name or the same id.
--- @include "codes"
--- @include "guards"
--- @include "numbers"
--- @include "states"
local others = {} -- id, state, … of the jobs answered instead of a new one
local remembered = {} -- names of the requests whose guard this call has set

-- `values`: the stored records of the items, from offset + 1. `now`: nil where no item has a guard.
local function load_existing(items, values, offset, now)
  if now then load_guards(items, now) end
  for i, item in ipairs(items) do records[item.id] = records[item.id] or values[i + offset] end
end

local function answer_new(id, state)
  states[id] = state
  return state
end

local function answer_with(code, id, state)
  others[#others + 1] = id
  others[#others + 1] = state
  return code
end

local function answer_limited(wait)
  others[#others + 1] = whole(wait)
  return ANSWER.limited
end

-- Under the item's idempotency key. The guard of a request of several jobs lasts as long as any of theirs.
local function remember_answer(item, now, id, state)
  set_guard(item.idem, now, item.idem_ttl, item.fingerprint, id, state)
  if remembered[item.request] then return end
  remembered[item.request] = true
  set_guard(item.request, now, item.idem_ttl, item.fingerprint, id, state)
end

-- The names of a new job. Without room for them (`fits`) a job of the engine's own has only one that holds
-- until it ends: there are no more of those than schedules. Its id stands for the other.
local function take_names(item, now, state, fits)
  set_guard(item.dedup, now, item.dedup_ttl, NONE, item.id, state)
  if fits then remember_answer(item, now, item.id, state) end
end

local function answer_duplicate(item, now, id)
  local state = state_now(id)
  if names_fit(item) then remember_answer(item, now, id, string.upper(state)) end
  return answer_with(ANSWER.duplicate, id, state)
end

-- True if the guard is held by a request with another fingerprint.
local function is_other(guard, item) return guard and guard.fingerprint ~= item.fingerprint end

-- The code to answer; nil where the job is new. `stored`: the record under the item's id, if any. The
-- same request again is answered as before; a duplicate, with what its holder is now.
local function find_existing(item, now, stored)
  local same = guard_of(item.idem, now)
  if is_other(guard_of(item.request, now), item) or is_other(same, item) then return ANSWER.mismatch end
  if same then
    local state = string.lower(same.state)
    return answer_with(state == same.state and ANSWER.same_request or ANSWER.duplicate, same.id, state)
  end
  local holder = guard_of(item.dedup, now)
  if holder then return answer_duplicate(item, now, holder.id) end
  if stored then return answer_duplicate(item, now, item.id) end
end
