-- pause: stop or allow claiming. Settles, recovery and enqueues go on while a queue is paused.
-- ARGV  1 queue  2 "1" to pause, "0" to resume
-- Returns  billed, the state before ("1" paused, "0" not)
--- @include "agenda"
local before = call("HGET", RECORDS, ":paused") or "0"
call("HSET", RECORDS, ":paused", ARGV[2])
if ARGV[2] == "0" then call("ZADD", AGENDA, LOOK, ARGV[1]) end
return { billed, before }
