-- prolong: leases whose jobs still run get a new end, for a function that can send no turn.
-- ARGV  1 queue  2 lease ms  3… leases
-- Returns  billed
--- @include "clock"
--- @include "keys"
--- @include "leases"
local leases = {}
for i = 3, #ARGV do leases[i - 2] = ARGV[i] end
local latest = tonumber(call("HGET", RECORDS, ":clock") or 0)
extend_leases(leases, now_ms(latest) + tonumber(ARGV[2]))
return { billed }
