-- claim: lease waiting jobs to one owner. No record is written: the lease itself, a member of the active
-- set ("id fence owner seq exclusive"), says who holds which fence of a job and since which turn.
--- @include "bucket"
--- @include "codes"
--- @include "deletes"
--- @include "keys"
--- @include "may_start"
--- @include "numbers"
--- @include "peek"
--- @include "pop"
--- @include "record"
--- @include "staged"
--- @include "undo"
--- @include "usage"
--- @include "writes"

-- One suspect, several that are isolated, or else the first `count`. Returns them, and if suspects.
local function choose(q, count, request)
  if not takes_suspect(q, request) then return line_of(q, count), false end
  local line = { ids = {}, keys = {}, buffers = {} }
  line_up(line, SUSPECTS, request.isolated and count or 1, true)
  return line, true
end

-- Buffers one lease per job, until the reply is full, or at a suspect that crashed in spite of its
-- isolation: it must run exclusively. Returns lease, record, …; how many leases; how many ids it saw.
local function lease_all(q, ids, exclusive, request)
  local raws, claims, bytes, count, looked = records_of(ids), {}, 0, 0, 0
  local leased = {} -- set of ids: after a turn that stopped half way one may stand in line twice
  local suffix = string.format(" %s %d %s", q.owner, q.seq, exclusive and YES or NO)
  q.lease_ms = request.lease_ms + ms_ahead(q.bucket, q.now, request.rate, #ids)
  local expiry = q.now + q.lease_ms
  for i, id in ipairs(ids) do
    local raw = raws[i]
    local fence = read_waiting(raw)
    if fence and not leased[id] and count > 0 and bytes + #raw > request.max_bytes then break end
    if fence and exclusive and request.isolated and has_crashed(raw) then break end
    looked = i
    if not fence then
      q.count("lost", 1)
      if raw == "" then delete_records({ id }, { raw }) end
    elseif not leased[id] then
      bytes, count, leased[id] = bytes + #raw, count + 1, true
      local lease = id .. " " .. whole(fence + 1) .. suffix
      buffer_zadd(ACTIVE, expiry, lease)
      claims[#claims + 1], claims[#claims + 2] = lease, raw
    end
  end
  if count > 0 then
    q.active, q.expiry = q.active + count, math.min(q.expiry, expiry)
    q.count("claimed", count)
  end
  return claims, count, looked
end

local function unlease(claims) -- for an undo
  local leases = {}
  for i = 1, #claims, 2 do leases[#leases + 1] = claims[i] end
  try_chunked("ZREM", ACTIVE, leases)
end

-- Returns { claims, count, reason, wait, level }: why not as many as wanted, how long until more (ms),
-- and the bucket's level before, for the instants at which the jobs may start.
local function claim(q, request)
  local starts, reason, wait = may_start(q, request)
  local level, has_suspects = q.bucket.level, q.suspects > 0
  if starts <= 0 then return { claims = {}, count = 0, reason = reason, wait = wait, level = level } end
  -- Records are read for as many as a reply has room for, of the average length.
  local most = math.min(starts, math.floor(request.max_bytes / average_bytes()) + 1)
  local line, exclusive = choose(q, most, request)
  local claims, count, looked = lease_all(q, line.ids, exclusive, request)
  take(line, looked)
  if exclusive then q.suspects = math.max(0, q.suspects - (#line.ids == 0 and 1 or looked)) end
  if not exclusive then q.waits = looked < #line.ids or #line.ids >= most end
  flush_set(ACTIVE)
  if exclusive then
    reason = "suspect"
  elseif #line.ids == 0 and has_suspects then
    reason, wait = "suspect", 0 -- only a function that runs nothing else may claim them
  elseif #line.ids < most then
    reason, wait = "empty", 0
  elseif most < starts then
    reason, wait = "more", 0
  end
  -- What did not fit waits, and so may others behind lost jobs.
  if looked < #line.ids or (count == 0 and #line.ids >= most) then reason, wait = "more", 0 end
  if request.rate > 0 then q.bucket.level = q.bucket.level - count * q.bucket.per end
  if reason == "limited" then wait = token_wait(q.bucket, request.rate) end
  return { claims = claims, count = count, reason = reason, wait = wait, level = level }
end
