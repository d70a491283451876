-- pause: stop or allow claiming. Settles, recovery and enqueues continue while a queue is paused. The
-- agenda comes first: a queue that runs again without an entry would wait for the next sweep.
-- ARGV  1 queue  2 "1" to pause, "0" to resume
-- Returns  billed, the state before ("1" paused, "0" not)
--- @include "agenda"
--- @include "codes"
--- @include "keys"
local before = call("HGET", RECORDS, ":paused") or NO
if ARGV[2] == NO then resync_next(ARGV[1]) end
call("HSET", RECORDS, ":paused", ARGV[2])
return { billed, before }
