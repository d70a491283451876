-- nudge: take the right to have a drain called for jobs that wait: of a drain that ends before them.
-- ARGV  1 queue  2 window ms
-- Returns  billed, 1 if a drain is to be called (0: nothing may start, or one was just called)
--- @include "clock"
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "nudges"
--- @include "priorities"
local clock, paused, nudged = unpack(fetch({ ":clock", ":paused", ":nudged" }))
if paused == YES or not anything_waits() then return { billed, NO } end
local window = take_window(tonumber(ARGV[2]), nudged, NONE, now_ms(tonumber(clock or 0)))
if not window then return { billed, NO } end
call("HSET", RECORDS, ":nudged", window)
return { billed, YES }
