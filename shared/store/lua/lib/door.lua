-- door: a queue may refuse a job at its enqueue because its key has used up its rate. Then the rate counts
-- enqueues: the key's token is taken here, and not at a start.
--- @include "codes"
--- @include "key_rate"
--- @include "key_state"
--- @include "keys"
--- @include "numbers"
--- @include "undo"
--- @include "writes"
local door, door_states = nil, {} -- door: rate, per, burst; nil: this queue refuses none. key -> state

-- `text`: "rate per burst" of each key, or "". `values`: the states of the items' keys, after `offset`.
local function open_door(text, items, values, offset)
  local rate, per, burst = string.match(text, "^(%d+) (%d+) (%d+)$")
  if not rate then return end
  door = { rate = tonumber(rate), per = tonumber(per), burst = tonumber(burst) }
  for i, item in ipairs(items) do
    if item.key ~= NONE then door_states[item.key] = read_key_state(item.key, values[offset + i]) end
  end
end

-- Milliseconds until this key has a token; 0: it has one now, or needs none.
local function wait_at_door(key, now)
  local state = door_states[key]
  if not state then return 0 end
  return math.max(0, math.ceil(token_at(door, within_bucket(door, state.full_at, now)) - now))
end

local function take_at_door(key, now)
  local state = door_states[key]
  if not state then return end
  state.full_at = full_after(door, within_bucket(door, state.full_at, now), now)
  state.taken = true
end

-- Writes the timers of the keys whose tokens were taken, and buffers their states. `key_due`: the field
-- with the first of all timers; `key_bytes`: that with the bytes of all states.
local function close_door(key_due, key_bytes)
  local timers, first, bytes = {}, tonumber(key_due or NEVER), tonumber(key_bytes or 0)
  for key, state in pairs(door_states) do
    if state.taken then
      local look = has_backlog(state) and state.look or forget_at(state.full_at)
      if look ~= state.look then timers[#timers + 1], timers[#timers + 2] = whole(look), key end
      state.look, first = look, math.min(first, look)
      local text = key_state_text(state)
      bytes = bytes + bytes_of_state(key, text) - bytes_of_state(key, state.stored)
      set_field(key_field(key), text)
    end
  end
  if first < tonumber(key_due or NEVER) then set_field(":key_due", whole(first)) end
  if bytes ~= tonumber(key_bytes or 0) then set_field(":key_bytes", whole(math.max(0, bytes))) end
  call_chunked("ZADD", KEY_TIMERS, timers)
end

-- For an undo: the tokens go back. `key_bytes`: as it was.
local function undo_door(key_bytes)
  local words, new = { ":key_bytes", key_bytes or "0" }, {}
  for key, state in pairs(door_states) do
    if state.stored then words[#words + 1], words[#words + 2] = key_field(key), state.stored
    else new[#new + 1] = key_field(key) end
  end
  try_chunked("HDEL", RECORDS, new)
  if next(door_states) then try_chunked("HSET", RECORDS, words) end
end
