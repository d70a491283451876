-- recover: leases that expired without a settle. Their function died, and any of its jobs may be
-- guilty. After the first crash they are suspects and run again with the others, first in line; after
-- a second one in a row they run exclusively. A crash is counted only against a job that did so.
-- promote: delayed jobs that are due, and parked jobs whose recheck is due, wait again.
--- @include "codes"
--- @include "due"
--- @include "fields"
--- @include "keys"
--- @include "places"
--- @include "promote"
--- @include "record"
--- @include "staged"
--- @include "unfinished"
--- @include "writes"
local MAX_CRASHES = 3
local LEASE = "^(%S+) (%d+) %S+ %d+ (%d)$" -- id fence owner seq exclusive

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

-- `kept`: set of the leases that stay until a later turn. Counted anew: a lease of a turn that stopped
-- half way is in no count.
local function close_expired(q, leases, kept)
  if #leases == 0 then return end
  for _, lease in ipairs(leases) do
    if not kept[lease] then
      q.closed[#q.closed + 1] = lease
      q.is_closed[lease] = true
    end
  end
  q.active = math.max(0, call("ZCARD", ACTIVE) - #q.closed)
end

local function recover_and_promote(q)
  local leases, delayed, parked = read_due(q)
  if #leases + #delayed + #parked == 0 then return end
  begin_group() -- ahead of what was settled
  local ids, fences, exclusive = {}, {}, {}
  for i, lease in ipairs(leases) do
    ids[i], fences[i], exclusive[i] = string.match(lease, LEASE)
  end
  for _, id in ipairs(delayed) do ids[#ids + 1] = id end
  for _, id in ipairs(parked) do ids[#ids + 1] = id end
  local raws, unfinished = fetch(ids), {}
  for i, id in ipairs(ids) do
    local job = decode(rewritten[id] or raws[i])
    if not job then
      if i <= #leases then q.cancel[id] = nil end -- a job that gets this id later was not cancelled
      q.count("lost", 1) -- evicted or damaged: its place goes, so that it does not block the others
    elseif i > #leases then
      promote_one(q, id, job)
    elseif job.state == STATE.live and job.fence == tonumber(fences[i]) - 1 then
      recover_one(q, id, job, exclusive[i] == YES)
    elseif job.fence == tonumber(fences[i]) then
      unfinished[#unfinished + 1] = { id = id, job = job, lease = leases[i] }
    end
  end
  close_expired(q, leases, finish(q, unfinished))
  depart_from(DELAYED, delayed)
  depart_from(PARKED, parked)
end
