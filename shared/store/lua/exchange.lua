-- exchange: replace a text that is still what the caller has read.
-- KEYS  1 the key of a string
-- ARGV  1 the text as it was read ("": none)  2 the new text  3 lifetime (ms)
-- Returns  billed, 1 replaced or 0 not
--- @include "codes"
if (redis.call("GET", KEYS[1]) or "") ~= ARGV[1] then return { 2, NO } end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
return { 3, YES }
