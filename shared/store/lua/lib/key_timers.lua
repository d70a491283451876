-- key_timers: the states that a turn changed, and the instants at which turns look at their keys again.
-- States are written together with the records and the claims that they belong to, in one HSET.
--- @include "key_state"
--- @include "key_states"
--- @include "keys"
--- @include "numbers"
--- @include "staged"
--- @include "writes"

-- Buffers the states that changed. A timer that is early only makes a turn look, so one that gets earlier
-- is written now, and one that gets later after the states: if those can't be written, the key still has its
-- room. A full bucket without a backlog goes. `looks`: key -> the new instant.
local function save_key_states(q, looks)
  local earlier, later, gone, fields = {}, {}, {}, {}
  for key, look in pairs(looks) do
    local state = key_states[key]
    local is_gone = not has_backlog(state) and state.full_at <= q.now
    if is_gone then
      gone[#gone + 1], fields[#fields + 1] = key, key_field(key)
    else
      q.key_due = math.min(q.key_due, look)
      if look ~= state.look or not state.stored then
        local timers = state.stored and look > state.look and later or earlier
        timers[#timers + 1], timers[#timers + 2] = whole(look), key
        state.look = look
      end
    end
    local text = is_gone and "" or key_state_text(state) -- empty before it goes, as records (lib/deletes.lua)
    q.key_bytes = math.max(0, q.key_bytes + bytes_of_state(key, text) - bytes_of_state(key, state.stored))
    if text ~= state.stored then set_field(key_field(key), text) end
  end
  call_chunked("ZADD", KEY_TIMERS, earlier)
  depart(function() call_chunked("ZADD", KEY_TIMERS, later) end)
  depart(function() call_chunked("HDEL", RECORDS, fields) end)
  depart_from(KEY_TIMERS, gone)
end
