-- claim: lease waiting jobs to one owner. No record is written: a lease, a member of the active set,
-- says by itself who holds which fence of a job and since which turn ("id fence owner seq exclusive").
--- @include "bucket"
--- @include "codes"
--- @include "keys"
--- @include "may_start"
--- @include "pop"
--- @include "record"
--- @include "staged"
--- @include "undo"
--- @include "writes"

-- One suspect by itself, or else a batch. Returns ids and whether they run exclusively.
local function take(q, starts, request)
  if takes_suspect(q, request) then
    q.suspects = math.max(0, q.suspects - 1)
    local ids = {}
    take_from(ids, SUSPECTS, 1, true)
    return ids, true
  end
  return pop(q, starts), false
end

-- Buffers one lease per job. Returns lease, record, …; their number; the ids that exceed `max_bytes`.
local function lease_all(q, ids, exclusive, request)
  local raws, claims, bytes, count, too_many = fetch(ids), {}, 0, 0, {}
  local leased = {} -- set of ids: after a turn that stopped half way one may stand in line twice
  local suffix = string.format("%s %d %s", q.owner, q.seq, exclusive and YES or NO)
  q.lease_ms = request.lease_ms + ms_ahead(q.bucket, q.now, request.rate, #ids)
  local expiry = q.now + q.lease_ms
  for i, id in ipairs(ids) do
    local raw = rewritten[id] or raws[i]
    local fence = read_waiting(raw)
    if not fence then
      q.count("lost", 1)
    elseif not leased[id] and count > 0 and bytes + #raw > request.max_bytes then
      too_many[#too_many + 1] = id
    elseif not leased[id] then
      bytes, count, leased[id] = bytes + #raw, count + 1, true
      local lease = string.format("%s %d %s", id, fence + 1, suffix)
      buffer_zadd(ACTIVE, expiry, lease)
      claims[#claims + 1], claims[#claims + 2] = lease, raw
    end
  end
  if count > 0 then
    q.active, q.expiry = q.active + count, math.min(q.expiry, expiry)
    q.count("claimed", count)
  end
  return claims, count, too_many
end

-- Takes the leases back, for an undo.
local function unlease(claims)
  local leases = {}
  for i = 1, #claims, 2 do leases[#leases + 1] = claims[i] end
  try_chunked("ZREM", ACTIVE, leases)
  unpop()
end

-- Pops, leases and puts back. If a write fails, what was popped waits again.
local function take_and_lease(q, starts, request)
  local ids, exclusive, claims, count, too_many = {}, false, {}, 0, {}
  write_or(function()
    ids, exclusive = take(q, starts, request)
    claims, count, too_many = lease_all(q, ids, exclusive, request)
    flush_set(ACTIVE)
    put_back(q, too_many)
  end, function() unlease(claims) end)
  return ids, exclusive, claims, count, #too_many > 0
end

-- Returns { claims, count, reason, wait, level }: why not as many as wanted, how long until more (ms),
-- and the bucket's level before, for the instants at which the jobs may start.
local function claim(q, request)
  local starts, reason, wait = may_start(q, request)
  local level, has_suspects = q.bucket.level, q.suspects > 0
  if starts <= 0 then return { claims = {}, count = 0, reason = reason, wait = wait, level = level } end
  local ids, exclusive, claims, count, too_large = take_and_lease(q, starts, request)
  if exclusive then
    reason = "suspect"
  elseif #ids == 0 and has_suspects then
    reason, wait = "suspect", 0 -- only a function that runs nothing else may claim them
  elseif #ids < starts then
    reason, wait = "empty", 0
  end
  if too_large or (count == 0 and #ids >= starts) then reason, wait = "more", 0 end -- behind lost jobs
  if request.rate > 0 then q.bucket.level = q.bucket.level - count * q.bucket.per end
  if reason == "limited" then wait = token_wait(q.bucket, request.rate) end
  return { claims = claims, count = count, reason = reason, wait = wait, level = level }
end
