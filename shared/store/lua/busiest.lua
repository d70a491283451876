-- busiest: the states of a queue's keys, for operators. Of very many, those that a turn looks at first and
-- those that run jobs. Writes nothing.
-- ARGV  1 queue  2 most keys
-- Returns  billed, now, number of keys with a state, then per key: key, its state ("full_at first next
--       look", or ""), its active jobs
--- @include "clock"
--- @include "fields"
--- @include "key_state"
--- @include "keys"
--- @include "lease"
--- @include "numbers"
local most = tonumber(ARGV[2])
local now = now_ms(tonumber(fetch({ ":clock" })[1] or 0))
local names, fields, active = call("ZRANGE", KEY_TIMERS, 0, most - 1), {}, {}
for _, key in ipairs(names) do active[key] = 0 end
for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
  local _, _, _, _, key = read_lease(lease)
  if key and not active[key] then names[#names + 1] = key end
  if key then active[key] = (active[key] or 0) + 1 end
end
for i, key in ipairs(names) do fields[i] = key_field(key) end
local reply = { 0, whole(now), call("ZCARD", KEY_TIMERS) }
for i, state in ipairs(fetch(fields)) do
  reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = names[i], state or "", active[names[i]]
end
reply[1] = billed -- only now are all calls counted
return reply
