-- deaths: the oldest dead letters of a queue, with their whole records. Writes nothing.
-- ARGV  1 queue  2 how long they must have been dead (ms)  3 how many to skip  4 most letters
--       5 most bytes of records; one that is larger comes alone
-- Returns  billed, then per dead letter: id, instant of its death, record ("" where it is lost)
--- @include "clock"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
-- Records are read in growing groups, so that large ones do not fill the script's memory.
local FIRST_GROUP, GROWTH = 16, 4
local skip, most, most_bytes = ARGV[3], ARGV[4], tonumber(ARGV[5])
local newest = whole(now_ms(0) - tonumber(ARGV[2]))
local page = call("ZRANGE", DEAD, "-inf", newest, "BYSCORE", "LIMIT", skip, most, "WITHSCORES")
local reply, bytes, at, group = { 0 }, 0, 1, FIRST_GROUP

while at <= #page and bytes < most_bytes do
  local ids = {}
  for i = at, math.min(#page, at + 2 * group) - 1, 2 do ids[#ids + 1] = page[i] end
  for i, raw in ipairs(fetch(ids)) do
    bytes = bytes + #(raw or "")
    if bytes > most_bytes and #reply > 1 then break end
    reply[#reply + 1], reply[#reply + 2] = ids[i], page[at + 2 * i - 1]
    reply[#reply + 1] = raw or ""
  end
  at, group = at + 2 * #ids, group * GROWTH
end
reply[1] = billed -- only now are all calls counted
return reply
