-- recover: leases that expired without a settle. Their function died, and any of its jobs may be
-- guilty. After the first crash they are suspects and run again with the others, first in line; after
-- a second one in a row they run exclusively. A crash is counted only against a job that did so.
-- promote: delayed jobs that are due, and parked jobs whose recheck is due, wait again.
-- Both are bounded: a turn moves at most PAGE jobs of each, the next turn continues.
--- @include "codes"
--- @include "keys"
--- @include "numbers"
--- @include "places"
--- @include "promote"
--- @include "record"
--- @include "writes"
local PAGE = 100
local MAX_CRASHES = 3
local LEASE = "^(%S+) (%d+) %S+ %d+ (%d)$" -- id fence owner seq exclusive

-- The members of a sorted set that are due, and the instant at which the next one is.
local function due_until(key, now)
  local page, due = call("ZRANGE", key, 0, PAGE - 1, "WITHSCORES"), {}
  for i = 1, #page, 2 do
    local score = tonumber(page[i + 1])
    if score > now then return due, score end
    due[#due + 1] = page[i]
  end
  return due, #due < PAGE and NEVER or now
end

local function recover_one(q, id, job, exclusive)
  job.fence = job.fence + 1
  q.count("crashed", 1)
  if q.cancel[id] then
    q.cancel[id] = nil
    end_job(id, job, STATE.cancelled, q.now)
  else
    if exclusive then job.crashes = job.crashes + 1 end
    if job.crashes >= MAX_CRASHES then
      job.reason = "crashed"
      end_job(id, job, STATE.dead, q.now)
      q.count("dead", 1)
    elseif exclusive or job.reason == "suspect" then
      make_exclusive(q, id, job, buffer_push)
    else
      job.reason = "suspect"
      requeue(q, id, job, buffer_push_front)
    end
  end
  save_job(id, job)
end

-- Expired leases, due ids of delayed and of parked jobs. One range per set, and only if its bound is due.
local function read_due(q)
  local leases, delayed, parked = {}, {}, {}
  if q.expiry <= q.now then leases, q.expiry = due_until(ACTIVE, q.now) end
  if q.due <= q.now then delayed, q.due = due_until(DELAYED, q.now) end
  if q.recheck <= q.now then parked, q.recheck = due_until(PARKED, q.now) end
  return leases, delayed, parked
end

local function recover_and_promote(q)
  local leases, delayed, parked = read_due(q)
  if #leases + #delayed + #parked == 0 then return end
  local ids, fences, exclusive = {}, {}, {}
  for i, lease in ipairs(leases) do
    ids[i], fences[i], exclusive[i] = string.match(lease, LEASE)
  end
  for _, id in ipairs(delayed) do ids[#ids + 1] = id end
  for _, id in ipairs(parked) do ids[#ids + 1] = id end
  local raws = fetch(ids)
  for i, id in ipairs(ids) do
    local job = decode(rewritten[id] or raws[i])
    if not job then
      q.count("lost", 1) -- evicted or damaged: its place goes, so that it does not block the others
    elseif i > #leases then
      promote_one(q, id, job)
    elseif job.state == STATE.live and job.fence == tonumber(fences[i]) - 1 then
      recover_one(q, id, job, exclusive[i] == YES)
    end
  end
  q.active = math.max(0, q.active - #leases)
  call_chunked("ZREM", ACTIVE, leases)
  call_chunked("ZREM", DELAYED, delayed)
  call_chunked("ZREM", PARKED, parked)
end
