-- key_states: what a queue knows of the keys of its jobs, in fields ":key:<key>" of the records hash:
-- "full_at first next look". `full_at`: when the key's bucket is full (lib/key_rate.lua). The ids of
-- its backlog stand at the positions from `first` to `next` - 1 (lib/backlogs.lua). `look`: the instant
-- at which a turn looks at the key again, its score in KEY_TIMERS. A key without a state has a full
-- bucket and no backlog. So a turn writes states together with the records and the claims that they
-- belong to, in one HSET.
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "staged"
--- @include "writes"
local FORGET_EVERY = 600000 -- ms; a full bucket is forgotten with others, so that few turns come for it
local key_states = {} -- key -> state

local function key_field(key) return ":key:" .. key end

local function read_key_state(key, raw)
  local full_at, first, next_one, look = string.match(raw or "", "^(%S+) (%d+) (%d+) (%d+)$")
  return { key = key, full_at = tonumber(full_at or 0), first = tonumber(first or 1),
    next = tonumber(next_one or 1), look = tonumber(look or 0), stored = raw or nil }
end

-- Reads the states of these keys that are not yet known, in one command. `names`: a list of keys.
local function load_key_states(names)
  local missing, fields = {}, {}
  for _, key in ipairs(names) do
    if not key_states[key] then
      missing[#missing + 1], fields[#fields + 1] = key, key_field(key)
      key_states[key] = {}
    end
  end
  for i, raw in ipairs(fetch(fields)) do key_states[missing[i]] = read_key_state(missing[i], raw) end
end

local function has_backlog(state) return state.first < state.next end

local function forget_at(full_at) return math.ceil(full_at / FORGET_EVERY) * FORGET_EVERY end

-- Buffers the states that changed, and writes their timers, which come first: one that is early only
-- makes a turn look. A full bucket without a backlog goes. `looks`: key -> the new instant.
local function save_key_states(q, looks)
  local timers, gone, fields = {}, {}, {}
  for key, look in pairs(looks) do
    local state = key_states[key]
    if not has_backlog(state) and state.full_at <= q.now then
      gone[#gone + 1], fields[#fields + 1] = key, key_field(key)
    else
      q.key_due = math.min(q.key_due, look)
      if look ~= state.look or not state.stored then
        timers[#timers + 1], timers[#timers + 2] = whole(look), key
        state.look = look
      end
    end
    local text = string.format("%.11f %d %d %s", state.full_at, state.first, state.next, whole(state.look))
    if text ~= state.stored then set_field(key_field(key), text) end
  end
  call_chunked("ZADD", KEY_TIMERS, timers)
  if #gone > 0 then depart(function() call_chunked("HDEL", RECORDS, fields) end) end
  depart_from(KEY_TIMERS, gone)
end
