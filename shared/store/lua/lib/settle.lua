-- settle: close leases. A settle counts only while the job's record waits for exactly this fence and
-- the lease is open; a stale one changes nothing and is answered NO.
--- @include "codes"
--- @include "keys"
--- @include "places"
--- @include "record"
--- @include "writes"
local TOTAL = { [KIND.done] = "done", [KIND.retry] = "retried", [KIND.dead] = "dead",
  [KIND.release] = "released", [KIND.snooze] = "snoozed", [KIND.park] = "parked",
  [KIND.cancelled] = "cancelled" }
local END_STATE = { [KIND.done] = STATE.completed, [KIND.dead] = STATE.dead,
  [KIND.cancelled] = STATE.cancelled }

local function prolong(q, item, job)
  local expiry = q.now + q.lease_ms
  save_job(item.id, job)
  buffer_zadd(ACTIVE, expiry, item.lease)
  q.expiry = math.min(q.expiry, expiry) -- a slow request may bring an earlier end than the last one
end

local function close(q, item, job)
  local id, kind, due = item.id, item.kind, q.now + item.delay
  if q.cancel[id] and not END_STATE[kind] then kind = KIND.cancelled end
  q.cancel[id] = nil
  job.fence, job.reason = job.fence + 1, NONE
  local end_state = END_STATE[kind]
  if end_state or kind == KIND.retry then job.attempts = job.attempts + 1 end
  q.count(TOTAL[kind], 1)
  if item.unstarted > 0 then q.unspent[#q.unspent + 1] = q.now - item.unstarted end
  if end_state then
    end_job(id, job, end_state, q.now)
    if kind == KIND.done then q.completed = q.completed + 1 end
  elseif kind == KIND.park then
    job.state = STATE.parked
    buffer_zadd(PARKED, due, id)
    q.recheck = math.min(q.recheck, due)
  elseif kind == KIND.release and string.sub(item.lease, -1) == YES then
    make_exclusive(q, id, job, buffer_push_front) -- it was to run exclusively and still has to
  elseif kind == KIND.release and item.delay == 0 then
    requeue(q, id, job, buffer_push_front)
  elseif item.delay > 0 then -- retry, snooze, or a release that waits for another window
    if kind == KIND.release then job.reason = "unfit" end
    buffer_zadd(DELAYED, due, id)
    q.due = math.min(q.due, due)
  else
    requeue(q, id, job, buffer_push)
  end
  save_job(id, job)
end

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

-- Returns one verdict per item: YES applied, NO stale. `last`: this owner's turn before.
local function settle(q, items, raws, last)
  local verdicts, closed, open, settled = {}, {}, open_leases(q, items, last), {}
  for i, item in ipairs(items) do
    local job = decode(raws[i])
    local applies = job and job.state == STATE.live and job.fence == item.fence - 1 and open[i]
      and not settled[item.lease]
    if applies then
      job.history = item.history
      if item.kind == KIND.keep then
        prolong(q, item, job)
      else
        close(q, item, job)
        closed[#closed + 1] = item.lease
        settled[item.lease] = true -- a second settle of it in this turn is stale
      end
    end
    verdicts[i] = applies and YES or NO
  end
  if #closed > 0 then
    call_chunked("ZREM", ACTIVE, closed)
    q.active = math.max(0, q.active - #closed)
  end
  return table.concat(verdicts)
end
