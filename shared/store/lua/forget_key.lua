-- forget_key: an erasure's last step: the name of a key goes from the queue, with its bucket. A key with a
-- backlog keeps both. Places in it whose jobs are gone are passed, some a call.
-- ARGV  1 queue  2 key  3 most places passed
-- Returns  billed, 1: it is forgotten (a repeat, too), 0: a job waits for it, 2: there are more places to pass
--- @include "backlog_entries"
--- @include "backlogs"
--- @include "fields"
--- @include "key_state"
--- @include "key_states"
--- @include "keys"
--- @include "numbers"
local FORGOTTEN, WAITED_FOR, MORE = 1, 0, 2
local key, most = ARGV[2], tonumber(ARGV[3])
local field, bytes = key_field(key), tonumber(fetch({ ":key_bytes" })[1] or 0)
load_key_states({ key })
local state = key_states[key]

-- Passes places until one at which a job waits. Returns the entries that say nothing any more.
local function pass_places()
  local page, gone, last = {}, {}, math.min(state.next, state.first + most)
  for i, id in ipairs(first_of_backlogs({ [key] = last - state.first })[key]) do
    if id then page[#page + 1], page[#page + 2] = backlog_entry(key, state.first + i - 1), id end
  end
  for _, one in ipairs(read_entries(page)) do
    if one.waits then
      last = math.min(last, tonumber(string.match(one.entry, "%d+$")))
    else
      gone[#gone + 1] = one.entry
    end
  end
  state.first = last
  return gone
end

local before = state.first
local gone = has_backlog(state) and pass_places() or {}
local answer = FORGOTTEN
if has_backlog(state) then answer = state.first == before + most and MORE or WAITED_FOR end
local text = answer == FORGOTTEN and "" or key_state_text(state)
bytes = math.max(0, bytes + bytes_of_state(key, text) - bytes_of_state(key, state.stored))
if state.stored then call("HSET", RECORDS, field, text, ":key_bytes", whole(bytes)) end
if answer == FORGOTTEN then
  call("HDEL", RECORDS, field)
  call("ZREM", KEY_TIMERS, key)
end
call_chunked("HDEL", BACKLOGS, gone)
return { billed, answer }
