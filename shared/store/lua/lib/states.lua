-- states: the state, at this moment, of a job that stands for another one. A record has only that a
-- job is live; the first duplicate of a request reads where all live ones are, by two commands.
--- @include "codes"
--- @include "keys"
--- @include "lease"
--- @include "record"
local records, states = {}, {} -- id -> stored record (false or empty: none); id -> state, once known

local function find_states()
  local live, ids = {}, {}
  for id, raw in pairs(records) do
    local job = decode(raw)
    states[id] = states[id] or (raw and raw ~= "" and state_of(raw) or STATE.gone)
    if job and states[id] == STATE.live then live[id], ids[#ids + 1] = job, id end
  end
  if #ids == 0 then return end
  for id, job in pairs(live) do
    if position_of(job.reason) then states[id] = STATE.delayed end
  end
  for i, score in ipairs(fetch_scores(DELAYED, ids)) do
    if score then states[ids[i]] = STATE.delayed end
  end
  for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
    local id, fence = read_lease(lease)
    if live[id] and fence == live[id].fence + 1 then states[id] = STATE.active end
  end
end

local function state_now(id)
  if not states[id] then find_states() end
  return states[id]
end
