-- prolong: leases whose jobs still run get a new end, for a function whose turns can't fly.
-- ARGV  1 queue  2 lease ms  3… leases
-- Returns  billed
--- @include "clock"
--- @include "keys"
--- @include "leases"
local leases = {}
for i = 3, #ARGV do leases[i - 2] = ARGV[i] end
local latest = tonumber(call("HGET", RECORDS, ":clock") or 0)
prolong_leases({ now = now_ms(latest), lease_ms = tonumber(ARGV[2]) }, leases)
return { billed }
