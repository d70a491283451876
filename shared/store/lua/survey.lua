-- survey: a page of ids for a repair: of the job records, or of one structure. Writes nothing.
-- ARGV  1 queue  2 "records" or the name of a list or sorted set  3 cursor (0: the beginning)
--       4 most ids (of records: about as many)
-- Returns  billed, next cursor (0: the end), stored jobs and bytes, then the ids; of records: id,
--       state code ("": the record is damaged), bytes of id and record
--- @include "keys"
--- @include "numbers"
--- @include "record"
local LISTS = { high = HIGH, normal = NORMAL, low = LOW, suspects = SUSPECTS }
local SETS = { delayed = DELAYED, parked = PARKED, completed = COMPLETED, cancelled = CANCELLED, dead = DEAD }
local part, cursor, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
local usage_fields = fetch({ ":jobs", ":bytes" })
local reply = { 0, cursor, usage_fields[1] or "0", usage_fields[2] or "0" }

if part == "records" then
  local page = call("HSCAN", RECORDS, cursor, "COUNT", most)
  reply[2] = page[1]
  for i = 1, #page[2], 2 do
    local id, raw = page[2][i], page[2][i + 1]
    -- Else a field of the queue's own state, or deleted.
    if string.sub(id, 1, 1) ~= ":" and raw ~= "" then
      local job = decode(raw)
      reply[#reply + 1] = id
      reply[#reply + 1] = job and job.state or ""
      reply[#reply + 1] = #id + #raw
    end
  end
else
  local first = tonumber(cursor)
  local command, key = LISTS[part] and "LRANGE" or "ZRANGE", LISTS[part] or SETS[part]
  local ids = call(command, key, first, first + most - 1)
  reply[2] = #ids == most and whole(first + most) or "0"
  for _, id in ipairs(ids) do reply[#reply + 1] = id end
end
reply[1] = billed -- only now are all calls counted
return reply
