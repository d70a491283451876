-- recover: leases that expired without a settle. Their function died, and any of its jobs may be
-- guilty. After the first crash they are suspects and run again with the others, first in line; after
-- a second one in a row they run isolated or exclusively. A crash is counted only against a job that did so.
-- Promotion (lib/promote.lua) shares the one read of their records.
--- @include "codes"
--- @include "due"
--- @include "events"
--- @include "fields"
--- @include "flags"
--- @include "expired"
--- @include "keys"
--- @include "numbers"
--- @include "phantoms"
--- @include "places"
--- @include "promote"
--- @include "record"
--- @include "staged"
--- @include "unfinished"
--- @include "writes"

local function recover_one(q, one)
  local max_crashes = 3 -- drain/isolated.py has the same number of deaths for one that runs isolated
  local id, job, exclusive = one.id, one.job, one.exclusive
  job.fence, job.since = job.fence + 1, " " .. whole(q.now)
  q.count("crashed", 1)
  if has_flag(job, DECIDED) then
    -- Its handler had ended: it is not to blame, and waits in its list whatever it was before.
    if job.reason ~= "crashed" then job.reason = NONE end
    requeue(q, id, job, buffer_push_front)
  elseif q.cancel[id] then
    q.cancel[id] = nil
    end_job(id, job, STATE.cancelled, q.now)
  else
    if exclusive then job.crashes = job.crashes + 1 end
    if job.crashes >= max_crashes then
      die(q, id, job)
    elseif exclusive or is_suspect(job.reason) then
      make_exclusive(q, id, job, buffer_push)
    else
      job.reason = "suspect"
      requeue(q, id, job, buffer_push_front)
    end
  end
  save_job(id, job)
  add_event(q, EVENT.stalled, job.state, job.attempts + 1, id)
end

-- Closes the expired leases. They are counted anew: one of a turn that stopped half way is in no count.
local function recover_all(q, leases, raws)
  if #leases == 0 then return end
  local expired, is_expired = read_expired(leases, raws)
  local crashed, unfinished = sort_expired(q, expired)
  local all, open, phantoms = call("ZRANGE", ACTIVE, 0, -1), {}, {}
  for _, lease in ipairs(all) do
    if not is_expired[lease] and not q.is_closed[lease] then open[#open + 1] = lease end
  end
  if #crashed > 0 then phantoms = find_phantoms(crashed, open) end
  for _, one in ipairs(crashed) do
    if not phantoms[one.lease] then recover_one(q, one) end
  end
  if next(phantoms) then -- their turn may have counted its lists without them
    q.suspects = call("LLEN", SUSPECTS) + buffered(SUSPECTS)
    q.waits, q.mixed = true, true
  end
  local kept = finish(q, unfinished) -- those of the leases that stay until a later turn
  for _, lease in ipairs(leases) do
    if not kept[lease] then
      q.closed[#q.closed + 1] = lease
      q.is_closed[lease] = true
    end
  end
  q.active = math.max(0, #all - #q.closed)
end

local function recover_and_promote(q)
  local leases, delayed, parked = read_due(q)
  if #leases + #delayed + #parked == 0 then return end
  begin_group() -- ahead of what was settled
  local ids = {}
  for i, lease in ipairs(leases) do ids[i] = string.match(lease, "^(%S+)") end
  for _, id in ipairs(delayed) do ids[#ids + 1] = id end
  for _, id in ipairs(parked) do ids[#ids + 1] = id end
  local raws = fetch(ids)
  recover_all(q, leases, raws)
  promote_all(q, ids, raws, #leases + 1)
  depart_from(DELAYED, delayed)
  depart_from(PARKED, parked)
end
