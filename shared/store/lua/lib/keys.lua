-- keys: names for the one vector of keys that every script of a queue receives, and counted calls.
local RECORDS, SUSPECTS, HIGH, NORMAL, LOW, DELAYED, ACTIVE, PARKED, COMPLETED, CANCELLED, DEAD,
  DEDUP, INBOX, INTAKE, KEY_TIMERS, BACKLOGS, AGENDA, EVENTS = unpack(KEYS)
local SHARDS = { RECORDS, unpack(KEYS, 19) } -- the hashes of job records (lib/shards.lua)

-- The commands that Upstash bills for this script: the EVAL itself and each inner call.
local billed = 1
local function call(...)
  billed = billed + 1
  return redis.call(...)
end

-- unpack has a limit (5,120 slots in GopherLua, which Upstash runs), so long lists go in chunks.
local CHUNK = 1024

-- A command with any number of arguments. Returns the sum of the replies where they are numbers.
local function call_chunked(command, key, values)
  local total = 0
  for from = 1, #values, CHUNK do
    local reply = call(command, key, unpack(values, from, math.min(from + CHUNK - 1, #values)))
    if type(reply) == "number" then total = total + reply end
  end
  return total
end

-- One value per member, in order; false where there is none.
local function fetch_each(command, key, members)
  if #members > 0 and #members <= CHUNK then return call(command, key, unpack(members)) end
  local values = {}
  for from = 1, #members, CHUNK do
    local reply = call(command, key, unpack(members, from, math.min(from + CHUNK - 1, #members)))
    for i = 1, #reply do values[from + i - 1] = reply[i] end
  end
  return values
end

local function fetch_scores(key, members) return fetch_each("ZMSCORE", key, members) end

-- A page of a sorted set comes back as member, score, member, score: only the members.
local function members_of(page)
  local members = {}
  for i = 1, #page, 2 do members[#members + 1] = page[i] end
  return members
end
