-- key_gate: which jobs of a claim their keys let start. A job whose key has no room leaves its list for
-- the key's backlog: it is put off once, spends nothing and blocks no other. It starts when its key has a
-- token again, or when one of the key's jobs has ended, in the same turn.
--- @include "backlog_entries"
--- @include "backlog_moves"
--- @include "backlogs"
--- @include "codes"
--- @include "key_looks"
--- @include "key_room"
--- @include "key_state"
--- @include "key_states"
--- @include "key_timers"
--- @include "numbers"
--- @include "record"
local NO_LIMITS = { rate = 0, per = 1, burst = 1, concurrency = 0 }

-- The limits of each key; nil where the queue has none, and nothing is left of earlier ones.
local function limits_of_keys(q, request)
  if request.key_limits then return request.key_limits end
  return (q.backlog > 0 or q.key_due <= q.now) and NO_LIMITS or nil
end

-- Whether a job at the head of a list may start. If its key has no room, it joins the key's backlog.
local function may_pass(q, limits, id, raw, key, reason)
  if key == NONE then return true end
  local state = touch(q, limits, key)
  if stands_in(state, id, reason) then return false end -- a turn stopped before it took it off its list
  if has_backlog(state) or not key_has_room(q, limits, state) then
    put_back(q, state, id, raw)
    return false
  end
  take_room(q, limits, state)
  return true
end

-- What the states of these jobs' keys are. `raws`: records.
local function load_keys_of(raws)
  local names = {}
  for _, raw in ipairs(raws) do
    local _, key = read_waiting(raw)
    if key and key ~= NONE then names[#names + 1] = key end
  end
  load_key_states(names)
end

-- Whether a suspect's key has room. A suspect goes ahead of its key's backlog.
local function key_lets_start(q, limits, key)
  if key == NONE then return true end
  local state = touch(q, limits, key)
  if key_has_room(q, limits, state) then return true end
  q.suspect_at = math.min(q.suspect_at or NEVER, look_at(q, limits, state))
  return false
end

-- Once a turn, at its end.
local function close_gate(q, limits)
  local looks = {}
  for key in pairs(decided_keys) do
    local state = key_states[key]
    if has_backlog(state) then
      looks[key] = look_at(q, limits, state)
    elseif state.stored or scores[key] or state.full_at > q.now then
      looks[key] = forget_at(state.full_at)
    end
  end
  flush_backlogs()
  if q.counts_backlogs then prune_entries() end
  save_key_states(q, looks)
  remove_entries()
end
