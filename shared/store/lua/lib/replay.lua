-- replay: the last turn of every live owner and its reply, so that a repeated request is answered
-- again instead of executed again. The queue's `replay` field holds one entry per owner, dropped when
-- the owner's leases have expired:
--   "owner seq expiry since valid_until at level verdicts;"   (verdicts: NONE if all settles applied)
-- The leases of turns `since` to `seq` are open until `valid_until` unless settled. A gap in seq means
-- that a failover of the store lost turns of this owner: `since` restarts. `level` is the bucket's
-- before the claim, at the instant `at`: a repeated reply must start each job at the same time.
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "words"
local ENTRY = "^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+);$"

-- Returns the owner's last turn (or nil) and the live entries of all other owners as text.
local function load_replay(q, owner)
  local others, last = {}, nil
  for entry in string.gmatch(q.replay, "[^;]+;") do
    local name, seq, expiry, since, valid_until, at, level, verdicts = string.match(entry, ENTRY)
    if name == owner then
      last = { seq = tonumber(seq), since = tonumber(since), valid_until = tonumber(valid_until),
        at = tonumber(at), level = tonumber(level), verdicts = verdicts }
    elseif name and tonumber(expiry) > q.now then
      others[#others + 1] = entry
    end
  end
  return last, join(others, "")
end

local ENDED_MS = 10000 -- an owner whose last turn this is may repeat it for so long

local function save_replay(q, request, last, others, verdicts, level)
  local expiry = q.now + q.lease_ms
  local since, valid_until = q.seq, expiry
  if last and last.seq == q.seq - 1 and q.now < last.valid_until then
    since = last.since
    if not q.prolonged then valid_until = math.min(last.valid_until, expiry) end
  end
  if request.want == 0 and not q.prolonged then expiry = q.now + ENDED_MS end
  local stored = string.find(verdicts, NO, 1, true) and verdicts or NONE
  q.replay = others .. string.format("%s %d %s %d %s %s %s %s;", q.owner, q.seq, whole(expiry),
    since, whole(valid_until), whole(q.now), whole(level), stored)
end

-- What this turn claimed when it was executed, read back from the open leases: lease, record, …
local function claims_of_turn(q)
  local suffix = string.format(" %s %d", q.owner, q.seq)
  local leases, ids, claims = {}, {}, {}
  for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
    local id, owner_and_seq = string.match(lease, "^(%S+) %d+( %S+ %d+) %d$")
    if owner_and_seq == suffix then
      leases[#leases + 1] = lease
      ids[#ids + 1] = id
    end
  end
  local raws = fetch(ids)
  for i, lease in ipairs(leases) do
    if decode(raws[i]) then
      claims[#claims + 1] = lease
      claims[#claims + 1] = raws[i]
    end
  end
  return claims
end
