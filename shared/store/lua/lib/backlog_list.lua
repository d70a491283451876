-- backlog_list: the ids in the backlogs of a queue's keys, key by key, for operators.
--- @include "fields"
--- @include "key_state"
--- @include "keys"
local MOST_STATES, MOST_ENTRIES = 1000, 2000 -- what one page looks at

local function list_backlogs()
  local keys, fields, entries, ids = call("ZRANGE", KEY_TIMERS, 0, MOST_STATES - 1), {}, {}, {}
  for i, key in ipairs(keys) do fields[i] = key_field(key) end
  for i, raw in ipairs(fetch(fields)) do
    local state = read_key_state(keys[i], raw)
    for position = state.first, math.min(state.next, state.first + MOST_ENTRIES - #entries) - 1 do
      entries[#entries + 1] = backlog_entry(keys[i], position)
    end
  end
  for _, id in ipairs(fetch_each("HMGET", BACKLOGS, entries)) do ids[#ids + 1] = id or nil end
  return ids
end
