-- pause: stop or allow claiming. Settles, recovery and enqueues continue while a queue is paused.
-- ARGV  1 queue  2 "1" to pause, "0" to resume
-- Returns  billed, the state before ("1" paused, "0" not)
--- @include "agenda"
--- @include "codes"
--- @include "keys"
local before = call("HGET", RECORDS, ":paused") or NO
call("HSET", RECORDS, ":paused", ARGV[2])
if ARGV[2] == NO then resync_next(ARGV[1]) end
return { billed, before }
