-- key_looks: the keys that a turn looks at: those whose instant has come (their bucket has a token again,
-- or is full and forgotten), and those of the leases that it closed. Bounded: the next turn continues.
--- @include "key_state"
--- @include "key_states"
--- @include "keys"
--- @include "numbers"
local MOST_LOOKS = 100
local looked_at, touched = {}, {} -- list of these keys; set of all keys that this turn decides about

local function touch(key)
  touched[key] = true
  return key_states[key]
end

local function add_due_keys(q)
  if q.key_due > q.now then return end
  local page = call("ZRANGE", KEY_TIMERS, 0, MOST_LOOKS - 1, "WITHSCORES")
  q.key_due = #page == 2 * MOST_LOOKS and q.now or NEVER
  for i = 1, #page, 2 do
    if tonumber(page[i + 1]) > q.now then
      q.key_due = tonumber(page[i + 1])
      return
    end
    looked_at[#looked_at + 1] = page[i]
  end
end

-- Keys of the leases that this turn closed.
local function add_freed_keys(q)
  local seen = {}
  for _, key in ipairs(looked_at) do seen[key] = true end
  for _, lease in ipairs(q.backlog > 0 and q.closed or {}) do
    local _, _, key = string.match(lease, KEY_OF_LEASE)
    if key and not seen[key] then
      seen[key] = true
      looked_at[#looked_at + 1] = key
    end
  end
end

-- Once a turn, before anything is claimed.
local function look_at_keys(q)
  add_due_keys(q)
  add_freed_keys(q)
  load_key_states(looked_at)
  for _, key in ipairs(looked_at) do touch(key) end
end
