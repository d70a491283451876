-- overview: the answer of stats, for several queues. Writes nothing. A queue's own numbers
-- say which of its structures may hold anything; only those are counted.
-- KEYS  the parts of the first queue (store/keys.py) and its further shards, those of the second, …
-- ARGV  1 number of parts; then per queue: how many shards, how many job types, their names
-- Returns  billed, per queue: what stats answers, without billed
--- @include "clock"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "sizes"
local FIELDS = { ":clock", ":paused", ":level", ":per", ":at", ":totals", ":jobs", ":bytes", ":shards",
  ":waits", ":mixed", ":suspects", ":active", ":due", ":recheck", ":completed",
  ":backlog", ":key_bytes", ":intake" }
local TOLD = 6 -- the first fields are answered
local PART = { records = 0, suspects = 1, high = 2, normal = 3, low = 4, delayed = 5, active = 6, parked = 7,
  cancelled = 9, dead = 10, inbox = 12 }
local HEADS = { "high", "normal", "low", "suspects" }
local parts = tonumber(ARGV[1])

local queues, inboxes = {}, {}
local function read_queues()
  local at, first = 2, 1
  while first <= #KEYS do
    local q = { first = first, shards = tonumber(ARGV[at]), types = {} }
    for i = 1, tonumber(ARGV[at + 1]) do q.types[i] = ":durations:" .. ARGV[at + 1 + i] end
    queues[#queues + 1], inboxes[#inboxes + 1] = q, KEYS[first + PART.inbox]
    local types = #q.types
    q.types[types + 1], q.types[types + 2] = ":counters", ":archive" -- answered behind the histograms
    at, first = at + 2 + types, first + parts + q.shards - 1
  end
end
read_queues()
local any_inbox = false
for from = 1, #inboxes, CHUNK do
  any_inbox = any_inbox or call("EXISTS", unpack(inboxes, from, math.min(from + CHUNK - 1, #inboxes))) > 0
end

local function key_of(q, part) return KEYS[q.first + PART[part]] end

local function read_numbers(q)
  local fields, v = { unpack(FIELDS) }, {}
  for _, name in ipairs(q.types) do fields[#fields + 1] = name end
  for i, value in ipairs(call("HMGET", key_of(q, "records"), unpack(fields))) do v[fields[i]] = value or nil end
  return v
end

-- Adds the first id of each list of waiting ids, and since when it waits.
local function add_heads(reply, q, counts)
  local ids, since = {}, {}
  for i, part in ipairs(HEADS) do ids[i] = counts[i] > 0 and call("LINDEX", key_of(q, part), 0) or "" end
  for shard = 1, counts[1] + counts[2] + counts[3] + counts[4] > 0 and q.shards or 0 do
    local records = shard == 1 and key_of(q, "records") or KEYS[q.first + parts + shard - 2]
    for i, raw in ipairs(call("HMGET", records, unpack(ids))) do
      local job = decode(raw or nil)
      since[i] = since[i] or job and job.since
    end
  end
  for i, id in ipairs(ids) do reply[#reply + 1], reply[#reply + 2] = id, since[i] or "" end
end

-- Jobs and bytes by shard: those of the first are what the others leave of the whole.
local function usage_of(q, v)
  local further, jobs, bytes = {}, tonumber(v[":jobs"] or 0), tonumber(v[":bytes"] or 0) + tonumber(v[":key_bytes"] or 0)
  for text in string.gmatch(v[":shards"] or "", "%S+") do further[#further + 1] = text end
  while #further < 2 * (q.shards - 1) do further[#further + 1] = "0" end
  for i = 1, #further, 2 do
    jobs = jobs - tonumber(further[i])
    bytes = bytes - tonumber(further[i + 1])
  end
  return table.concat({ whole(jobs), whole(bytes), unpack(further) }, " ")
end

local replies, now = { 0 }, now_ms(0)
for _, q in ipairs(queues) do
  local v = read_numbers(q)
  local reply = { whole(math.max(now, tonumber(v[":clock"] or 0))) }
  local counts = sizes_of(v, function(command, part) return call(command, key_of(q, part)) end, any_inbox)
  for i = 1, #counts do reply[1 + i] = counts[i] end
  add_heads(reply, q, counts)
  for i = 1, TOLD do reply[#reply + 1] = v[FIELDS[i]] or "" end
  reply[#reply + 1] = usage_of(q, v)
  for _, name in ipairs(q.types) do reply[#reply + 1] = v[name] or "" end
  replies[#replies + 1] = reply
end
replies[1] = billed -- only now are all calls counted
return replies
