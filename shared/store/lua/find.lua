-- find: which of several queues have anything in some of their keys, for a sweep. Writes nothing.
-- KEYS  the keys of the first queue, those of the second, …
-- ARGV  the number of keys of each queue
-- Returns  billed, one character per queue (1 found, 0 nothing)
--- @include "codes"
local answers, billed, at = {}, 1, 1
for i, count in ipairs(ARGV) do
  billed = billed + 1
  answers[i] = redis.call("EXISTS", unpack(KEYS, at, at + count - 1)) > 0 and YES or NO
  at = at + count
end
return { billed, table.concat(answers) }
