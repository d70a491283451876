-- keys: names for the one vector of keys that every script of a queue receives, and counted calls.
local RECORDS, SUSPECTS, HIGH, NORMAL, LOW, DELAYED, ACTIVE, PARKED, COMPLETED, CANCELLED, DEAD,
  DEDUP, INBOX, AGENDA = unpack(KEYS)
local BAND = { h = HIGH, n = NORMAL, l = LOW }

-- What Upstash bills for this call: the EVAL itself and each inner command.
local billed = 1
local function call(...)
  billed = billed + 1
  return redis.call(...)
end

-- Lua can't unpack without bound (GopherLua: 5,120 slots), so long argument lists go in chunks.
local CHUNK = 1000
local function variadic(command, key, values)
  local total = 0
  for from = 1, #values, CHUNK do
    local reply = call(command, key, unpack(values, from, math.min(from + CHUNK - 1, #values)))
    if type(reply) == "number" then total = total + reply end
  end
  return total
end

-- One value for each member, in order; false where there is none.
local function each(command, key, members)
  if #members > 0 and #members <= CHUNK then return call(command, key, unpack(members)) end
  local values = {}
  for from = 1, #members, CHUNK do
    local reply = call(command, key, unpack(members, from, math.min(from + CHUNK - 1, #members)))
    for i = 1, #reply do values[from + i - 1] = reply[i] end
  end
  return values
end

local function fetch(fields) return each("HMGET", RECORDS, fields) end
local function scores(key, members) return each("ZMSCORE", key, members) end
