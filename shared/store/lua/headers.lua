-- headers: several jobs without their payloads and histories. Writes nothing.
-- ARGV  1 queue, then ids
-- Returns  billed, then per id: the header of its record ("" where there is none), the first line of its body
--- @include "fields"
--- @include "keys"
local LONGEST_LINE = 4096 -- a longer one is no line of ours

local reply = { 0 }
for _, raw in ipairs(fetch({ unpack(ARGV, 2) })) do
  local header, line = string.match(raw or "", "^([^\n]*)\n([^\n]*)")
  reply[#reply + 1], reply[#reply + 2] = header or "", string.sub(line or "", 1, LONGEST_LINE)
end
reply[1] = billed -- only now are all calls counted
return reply
