-- overview: what stats tells of one queue, for several queues. Writes nothing. A queue's own numbers
-- say which of its structures may hold anything; only those are counted.
-- KEYS  the parts of the first queue (store/keys.py), those of the second, …
-- ARGV  1 keys of each queue; then per queue: how many job types, their names
-- Returns  billed, per queue: what stats answers, without billed
--- @include "clock"
--- @include "codes"
--- @include "keys"
--- @include "numbers"
local FIELDS = { ":clock", ":paused", ":level", ":per", ":at", ":totals", ":jobs", ":bytes", ":waits", ":mixed",
  ":suspects", ":active", ":due", ":recheck", ":completed" }
local TOLD = 8 -- the first fields are answered, after the first
local PART = { records = 0, suspects = 1, high = 2, normal = 3, low = 4, delayed = 5, active = 6, parked = 7,
  cancelled = 9, dead = 10, inbox = 12 }
local width, at, replies, now = tonumber(ARGV[1]), 2, { 0 }, nil

local function inboxes()
  local names = {}
  for first = 1, #KEYS, width do names[#names + 1] = KEYS[first + PART.inbox] end
  for from = 1, #names, CHUNK do
    if call("EXISTS", unpack(names, from, math.min(from + CHUNK - 1, #names))) > 0 then return true end
  end
  return false
end
local any_inbox = inboxes()

-- Sizes in the order of stats.lua, from the queue's numbers `v` and `key`, the name of a part's key.
local function sizes(v, key)
  local waits, mixed = v[7] and v[9] ~= NO, v[10] == YES
  local function size(command, part, may_hold) return may_hold and call(command, key(part)) or 0 end
  local completed = tonumber(v[15] or 0)
  local counts = {
    size("LLEN", "high", waits and mixed), size("LLEN", "normal", waits), size("LLEN", "low", waits and mixed),
    size("LLEN", "suspects", tonumber(v[11] or 0) > 0),
    size("ZCARD", "delayed", tonumber(v[13] or NEVER) < NEVER),
    size("ZCARD", "active", tonumber(v[12] or 0) > 0),
    size("ZCARD", "parked", tonumber(v[14] or NEVER) < NEVER), completed,
  }
  local others = -completed
  for text in string.gmatch(v[7] or "0", "%d+") do others = others + tonumber(text) end
  for i = 1, 7 do others = others - counts[i] end
  counts[9], counts[10] = size("ZCARD", "cancelled", others ~= 0), 0
  if others ~= counts[9] then counts[10] = call("ZCARD", key("dead")) end
  counts[11] = size("LLEN", "inbox", any_inbox)
  return counts
end

for first = 1, #KEYS, width do
  local function key(part) return KEYS[first + PART[part]] end
  local fields, types = { unpack(FIELDS) }, tonumber(ARGV[at])
  for i = 1, types do fields[#FIELDS + i] = ":durations:" .. ARGV[at + i] end
  at = at + 1 + types
  local v = call("HMGET", key("records"), unpack(fields))
  now = now or now_ms(0)
  local reply = sizes(v, key)
  table.insert(reply, 1, whole(math.max(now, tonumber(v[1] or 0))))
  for i, part in ipairs({ "high", "normal", "low" }) do
    reply[#reply + 1] = reply[1 + i] > 0 and call("LINDEX", key(part), 0) or ""
  end
  for i = 2, TOLD do reply[#reply + 1] = v[i] or "" end
  for i = 1, types do reply[#reply + 1] = v[#FIELDS + i] or "" end
  replies[#replies + 1] = reply
end
replies[1] = billed
return replies
