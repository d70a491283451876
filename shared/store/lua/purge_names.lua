-- purge_names: delete the names that callers hold for a time (deduplication with a ttl, idempotency keys), a
-- page a call. A name that holds until its job ends goes with its job; Tidegate's own names stay, or what
-- they guard (occurrences, follow-ups, restored letters) could be stored twice.
-- The last request and its answer are kept (field ":purged"): a repeat is answered alike.
-- ARGV  1 queue  2 cursor (0: the beginning)  3 most names (about as many)  4 request id
-- Returns  billed, next cursor (0: the end), how many were deleted
--- @include "fields"
--- @include "keys"
local cursor, most, request = ARGV[2], ARGV[3], ARGV[4]
local last, count = string.match(fetch({ ":purged" })[1] or "", "^(%S+) (%d+)$")
local page, names = call("HSCAN", DEDUP, cursor, "COUNT", most), {}

local function is_callers(name) return string.find(name, "^dedup:") or string.find(name, "^key:") end

for i = 1, #page[2], 2 do
  local name, guard = page[2][i], page[2][i + 1]
  if is_callers(name) and string.sub(guard, 1, 2) ~= "0 " then names[#names + 1] = name end
end
local gone = last == request and tonumber(count) or #names
if gone > 0 then call("HSET", RECORDS, ":purged", string.format("%s %d", request, gone)) end
call_chunked("HDEL", DEDUP, names)
return { billed, page[1], gone }
