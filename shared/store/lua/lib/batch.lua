-- batch: the leases of one claim. A lease, a member of the active set, is "id fence owner seq exclusive",
-- with the job's key before `exclusive` where keys have a concurrency.
--- @include "codes"
--- @include "keys"
--- @include "numbers"
--- @include "undo"
--- @include "writes"

-- `most`: how many jobs it takes; `bytes`: of their records, and `put_off`: of those that wait for their
-- keys; `leased`: set of their ids; `found`: ids of the list that it takes from; `looked`: how many of
-- these have left it.
local function new_batch(q, request, most, exclusive)
  local limits = request.key_limits
  return { claims = {}, count = 0, bytes = 0, put_off = 0, most = most, max_bytes = request.claim_max_bytes,
    leased = {}, expiry = q.now + q.lease_ms, suffix = string.format(" %s %d ", q.owner, q.seq),
    names_key = limits and limits.concurrency > 0, exclusive = exclusive and YES or NO }
end

-- Whether it has room for one more record; the first one always fits.
local function fits(batch, raw)
  return batch.count < batch.most and (batch.count == 0 or batch.bytes + #raw <= batch.max_bytes)
end

local function add_lease(batch, id, fence, key, raw)
  local name = batch.names_key and key ~= NONE and key .. " " or ""
  local text = id .. " " .. whole(fence + 1) .. batch.suffix .. name .. batch.exclusive
  batch.bytes, batch.count, batch.leased[id] = batch.bytes + #raw, batch.count + 1, true
  buffer_zadd(ACTIVE, batch.expiry, text)
  batch.claims[#batch.claims + 1], batch.claims[#batch.claims + 2] = text, raw
end

local function count_batch(q, batch)
  if batch.count == 0 then return end
  q.active, q.expiry = q.active + batch.count, math.min(q.expiry, batch.expiry)
  q.count("claimed", batch.count)
end

local function unlease(claims) -- for an undo
  local leases = {}
  for i = 1, #claims, 2 do leases[#leases + 1] = claims[i] end
  try_chunked("ZREM", ACTIVE, leases)
end
