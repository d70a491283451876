-- key_state: the state of one key of a queue's jobs, in field ":key:<key>" of the records hash:
-- "full_at first next look". `full_at`: when the key's bucket is full (lib/key_rate.lua). The ids of
-- its backlog stand at the positions from `first` to `next` - 1 (lib/backlogs.lua). `look`: the instant
-- at which a turn looks at the key again, its score in KEY_TIMERS. A key without a state has a full
-- bucket and no backlog.
--- @include "numbers"
local FORGET_EVERY = 600000 -- ms; a full bucket is forgotten with others, so that few turns come for it

local function key_field(key) return ":key:" .. key end

-- The field of BACKLOGS that has the id at this position of the key's backlog.
local function backlog_entry(key, position) return key .. " " .. whole(position) end

local function read_key_state(key, raw)
  local full_at, first, next_one, look = string.match(raw or "", "^(%S+) (%d+) (%d+) (%d+)$")
  return { key = key, full_at = tonumber(full_at or 0), first = tonumber(first or 1),
    next = tonumber(next_one or 1), look = tonumber(look or 0), stored = raw or nil }
end

local function key_state_text(state)
  return string.format("%.11f %d %d %s", state.full_at, state.first, state.next, whole(state.look))
end

-- Bytes of a state's field and text; 0 where there is none. An empty one was forgotten (lib/key_timers.lua).
local function bytes_of_state(key, text) return text and text ~= "" and #key_field(key) + #text or 0 end

local function has_backlog(state) return state.first < state.next end

local function forget_at(full_at) return math.ceil(full_at / FORGET_EVERY) * FORGET_EVERY end
