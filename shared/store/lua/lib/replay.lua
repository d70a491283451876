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
--- @include "lease"
--- @include "numbers"
--- @include "phantoms"
--- @include "record"
--- @include "words"

-- Returns the owner's last turn (or nil) and the live entries of all other owners as text.
local function load_replay(q, owner)
  local pattern = "^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+);$"
  local others, last = {}, nil
  for entry in string.gmatch(q.replay, "[^;]+;") do
    local name, seq, expiry, since, valid_until, at, level, verdicts = string.match(entry, pattern)
    if name == owner then
      last = { seq = tonumber(seq), since = tonumber(since), valid_until = tonumber(valid_until),
        at = tonumber(at), level = tonumber(level), verdicts = verdicts }
    elseif name and tonumber(expiry) > q.now then
      others[#others + 1] = entry
    end
  end
  return last, join(others, "")
end

-- The entry is kept while the client may repeat the turn, and while its leases are open.
local function save_replay(q, request, last, others, verdicts, level)
  local expiry = q.now + q.lease_ms
  local since, valid_until = q.seq, expiry
  if last and last.seq == q.seq - 1 and q.now < last.valid_until then
    since = last.since
    if not q.prolonged then valid_until = math.min(last.valid_until, expiry) end
  end
  if request.want == 0 and not q.prolonged then expiry = q.now end
  expiry = math.max(expiry, q.now + request.repeat_ms)
  local stored = string.find(verdicts, NO, 1, true) and verdicts or NONE
  q.replay = others .. string.format("%s %d %s %d %s %s %s %s;", q.owner, q.seq, whole(expiry),
    since, whole(valid_until), whole(q.now), whole(level), stored)
end

-- What this turn claimed when it was executed, read back from the open leases: lease, record, …
local function claims_of_turn(q)
  local open, leases, ids, held, claims = call("ZRANGE", ACTIVE, 0, -1), {}, {}, {}, {}
  for _, lease in ipairs(open) do
    local id, fence, owner, seq = read_lease(lease)
    if owner == q.owner and seq == q.seq then
      leases[#leases + 1], ids[#ids + 1] = { lease = lease, id = id, fence = fence }, id
    end
  end
  for i, raw in ipairs(fetch(ids)) do
    local one, job = leases[i], decode(raw)
    if job and job.fence == one.fence - 1 then
      one.job, held[#held + 1] = job, one
    end
  end
  local phantoms = find_phantoms(held, open) -- of an earlier try of this turn
  for _, one in ipairs(held) do
    if not phantoms[one.lease] then
      claims[#claims + 1] = one.lease
      claims[#claims + 1] = one.job.raw
    end
  end
  return claims
end
