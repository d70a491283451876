-- list: a page of the jobs in one state, without their payloads. Writes nothing.
-- ARGV  1 queue  2 state  3 position of the first (0: the beginning)  4 most jobs
-- Returns  billed, then per job: id, the instant that belongs to its state ("": none), the header of
--       its record ("" where it is lost), the first line of its body
-- Waiting jobs come in the order in which they are claimed, ended ones the newest first, others by
-- their instants.
--- @include "backlog_list"
--- @include "fields"
--- @include "keys"
local SETS = { delayed = DELAYED, active = ACTIVE, parked = PARKED, completed = COMPLETED,
  cancelled = CANCELLED, dead = DEAD }
local NEWEST_FIRST = { completed = true, cancelled = true, dead = true }
local LONGEST_LINE = 1000
local state, first, most = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local ids, instants = {}, {}

local function read_lists()
  for _, key in ipairs({ SUSPECTS, HIGH, NORMAL, LOW }) do
    if #ids < most then
      local length = call("LLEN", key)
      if first < length then
        for _, id in ipairs(call("LRANGE", key, first, first + most - #ids - 1)) do ids[#ids + 1] = id end
      end
      first = math.max(0, first - length)
    end
  end
end

local function read_set()
  local range = { SETS[state], first, first + most - 1 }
  if NEWEST_FIRST[state] then range[#range + 1] = "REV" end
  range[#range + 1] = "WITHSCORES"
  local page = call("ZRANGE", unpack(range))
  for i = 1, #page, 2 do
    ids[#ids + 1], instants[#instants + 1] = string.match(page[i], "%S+"), page[i + 1] -- of a lease: its id
  end
end

-- Those in backlogs of keys come after those that are due at an instant.
local function add_backlogs()
  local before = call("ZCARD", DELAYED)
  for i, id in ipairs(list_backlogs()) do
    if before + i > first and #ids < most then ids[#ids + 1] = id end
  end
end

if state == "waiting" then read_lists() else read_set() end
local count = #ids
if state == "delayed" and count < most then ids[count + 1] = ":backlog" end
local raws = fetch(ids)
if ids[count + 1] then
  local backlog = tonumber(table.remove(raws) or 0)
  ids[count + 1] = nil
  if backlog > 0 then add_backlogs() end
  for i, raw in ipairs(fetch({ unpack(ids, count + 1) })) do raws[count + i] = raw end
end
local reply = { 0 }
for i, raw in ipairs(raws) do
  local header, line = string.match(raw or "", "^([^\n]*)\n([^\n]*)")
  reply[#reply + 1], reply[#reply + 2] = ids[i], instants[i] or ""
  reply[#reply + 1], reply[#reply + 2] = header or "", string.sub(line or "", 1, LONGEST_LINE)
end
reply[1] = billed -- only now are all calls counted
return reply
