-- find: which of several queues have anything in some of their keys, for a sweep. Writes nothing.
-- It halves what has something, so few queues among many cost few commands. What one half has tells
-- of the other, so all of them cost one command a queue.
-- KEYS  the keys of the first queue, those of the second, …
-- ARGV  the number of keys of each queue
-- Returns  billed, one character per queue (1 found, 0 nothing)
--- @include "codes"
local starts, answers, billed = { 1 }, {}, 1
for i, count in ipairs(ARGV) do
  starts[i + 1] = starts[i] + count
end

-- GopherLua holds some 5,000 values, and a call holds its keys twice.
local MOST_KEYS = 2000

-- How many keys of these queues exist.
local function count_existing(first, last)
  local existing, past = 0, starts[last + 1]
  for at = starts[first], past - 1, MOST_KEYS do
    billed = billed + 1
    existing = existing + redis.call("EXISTS", unpack(KEYS, at, math.min(at + MOST_KEYS, past) - 1))
  end
  return existing
end

local function search(first, last, existing)
  if existing == 0 or first == last then
    for i = first, last do
      answers[i] = existing > 0 and YES or NO
    end
    return
  end
  local middle = math.floor((first + last) / 2)
  local before = count_existing(first, middle)
  search(first, middle, before)
  search(middle + 1, last, existing - before)
end

search(1, #ARGV, count_existing(1, #ARGV))
return { billed, table.concat(answers) }
