-- leases: prolong those whose jobs still run. XX: one that was recovered meanwhile stays so. The
-- list must name every open lease of its owner: replay.lua counts all of them as open until then.
--- @include "keys"
--- @include "numbers"
local function extend_leases(leases, expiry)
  local text = whole(expiry)
  for from = 1, #leases, CHUNK / 2 do
    local members = {}
    for i = from, math.min(from + CHUNK / 2 - 1, #leases) do
      members[#members + 1] = text
      members[#members + 1] = leases[i]
    end
    call("ZADD", ACTIVE, "XX", unpack(members))
  end
end

-- The first end of a lease. Those that this turn has closed are still in the set.
local function read_expiry(q)
  local page = call("ZRANGE", ACTIVE, 0, #q.closed, "WITHSCORES")
  q.expiry = NEVER
  for i = #page - 1, 1, -2 do
    if not q.is_closed[page[i]] then q.expiry = tonumber(page[i + 1]) end
  end
end

-- For a turn: also the next end of a lease.
local function prolong_leases(q, leases)
  if #leases == 0 then return end
  extend_leases(leases, q.now + q.lease_ms)
  read_expiry(q)
  q.prolonged = true
end
