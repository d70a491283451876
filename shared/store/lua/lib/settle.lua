-- settle: close leases. A settle applies only while its lease is open and its fence is one more than
-- the record's; a stale one changes nothing and is answered NO.
--- @include "close"
--- @include "codes"
--- @include "flags"
--- @include "keys"
--- @include "places"
--- @include "record"
--- @include "staged"
--- @include "writes"

-- Which leases are open, by position. Those of this owner's unbroken turns are, without a read. Any
-- other must be found in the active set: its job may have been deleted and enqueued again, with fences
-- from 1, or the store may have lost the claim and leased the job again under the same fence.
local function open_leases(q, items, last)
  local unbroken = last and last.seq == q.seq - 1 and q.now < last.valid_until
  local open, unsure, positions = {}, {}, {}
  for i, item in ipairs(items) do
    if unbroken and item.owner == q.owner and item.seq >= last.since then
      open[i] = true
    else
      unsure[#unsure + 1], positions[#positions + 1] = item.lease, i
    end
  end
  for i, score in ipairs(fetch_scores(ACTIVE, unsure)) do open[positions[i]] = score end
  return open
end

-- A stale outcome comes from a function that lives, so the crash that recovery saw was none: it does not
-- count, and a job that is dead for it waits again, unless its death has had follow-ups.
local function revoke_crash(q, item, job)
  local by_itself = string.sub(item.lease, -1) == YES
  local blamed = by_itself and job.fence >= item.fence and job.crashes > 0
  if has_flag(job, DECIDED) then
    return
  elseif blamed and job.reason == "crashed" and job.state == STATE.live then
    job.crashes, job.reason = job.crashes - 1, "suspect" -- it waits in line for its death
  elseif blamed and job.reason == "crashed" then
    job.crashes, job.state = job.crashes - 1, STATE.live
    job.dedup = NONE -- it let its name go when it died, and another job may hold that now
    make_exclusive(q, item.id, job, buffer_push)
    depart_from(DEAD, { item.id })
  elseif blamed and job.reason == "exclusive" then
    job.crashes = job.crashes - 1
  elseif not by_itself and job.fence == item.fence and is_suspect(job.reason) then
    job.reason = without_suspicion(job.reason)
  else
    return
  end
  save_job(item.id, job)
end

-- Returns one verdict per item: YES applied, NO stale. `last`: this owner's turn before.
local function settle(q, items, raws, last)
  local verdicts, open, seen = {}, open_leases(q, items, last), {} -- seen: set of leases settled before
  for i, item in ipairs(items) do
    local job = decode(rewritten[item.id] or raws[i])
    local applies = job and job.state == STATE.live and job.fence == item.fence - 1 and open[i]
      and not q.is_closed[item.lease]
    if applies then
      job.history = item.history
      if item.kind == KIND.keep or item.kind == KIND.decide then
        keep_lease(q, item, job)
      else
        close(q, item, job)
        q.closed[#q.closed + 1] = item.lease
        q.is_closed[item.lease] = true -- a second settle of it in this turn is stale
      end
    end
    if job and not applies and not seen[item.lease] then revoke_crash(q, item, job) end
    seen[item.lease] = true
    verdicts[i] = applies and YES or NO
  end
  q.active = math.max(0, q.active - #q.closed)
  return table.concat(verdicts)
end
