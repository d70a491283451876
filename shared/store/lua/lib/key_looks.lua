-- key_looks: the keys that a turn looks at: those whose instant has come (their bucket has a token again,
-- or is full and forgotten), and those of the leases that it closed. Bounded: the next turn continues.
--- @include "key_rate"
--- @include "key_states"
--- @include "keys"
--- @include "lease"
--- @include "numbers"
local MOST_LOOKS = 100
local looked_at, decided_keys = {}, {} -- list of these keys; set of all keys that this turn decides about
local scores = {} -- key -> its score in KEY_TIMERS

-- A deploy may have declared a smaller or faster bucket since: one that is emptier than empty is empty.
local function touch(q, limits, key)
  local state = key_states[key]
  if limits.rate > 0 then state.full_at = within_bucket(limits, state.full_at, q.now) end
  decided_keys[key] = true
  return state
end

-- A deploy has declared other limits: the instants of the keys were those of the old ones, and half of
-- each has passed. Their order stays, so that turns of two versions get to the end of many keys.
local function look_at_all_if_changed(q, request)
  local declared = request.key_limits_text
  if declared == (q.key_limits or "") then return end
  q.key_limits = declared
  if q.backlog > 0 then
    call("ZUNIONSTORE", KEY_TIMERS, 1, KEY_TIMERS, "WEIGHTS", 0.5)
    q.key_due = 0
  end
end

local function add_due_keys(q)
  if q.key_due > q.now then return end
  local page = call("ZRANGE", KEY_TIMERS, 0, MOST_LOOKS - 1, "WITHSCORES")
  q.key_due = #page == 2 * MOST_LOOKS and q.now or NEVER
  if #page == 0 then q.key_bytes = 0 end -- each state has a timer
  for i = 1, #page, 2 do
    if tonumber(page[i + 1]) > q.now then
      q.key_due = tonumber(page[i + 1])
      return
    end
    looked_at[#looked_at + 1], scores[page[i]] = page[i], tonumber(page[i + 1])
  end
end

-- Keys of the leases that this turn closed.
local function add_freed_keys(q)
  local seen = {}
  for _, key in ipairs(looked_at) do seen[key] = true end
  for _, lease in ipairs(q.backlog > 0 and q.closed or {}) do
    local _, _, _, _, key = read_lease(lease)
    if key and not seen[key] then
      seen[key] = true
      looked_at[#looked_at + 1] = key
    end
  end
end

-- Once a turn, before anything is claimed.
local function look_at_keys(q, request, limits)
  look_at_all_if_changed(q, request)
  add_due_keys(q)
  add_freed_keys(q)
  load_key_states(looked_at)
  for _, key in ipairs(looked_at) do
    local state = touch(q, limits, key)
    state.look = scores[key] or state.look
  end
end
