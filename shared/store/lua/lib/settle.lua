-- settle: close leases. A lease counts only while its job's record still waits for exactly this
-- fence; whoever comes later changes nothing and is told so.
-- kinds: d done, r retry, x dead, l release, s snooze, p park, c cancelled, k keep (still running)
--- @include "keys"
--- @include "record"
--- @include "moves"
local SPENDS = { d = true, r = true, x = true, c = true }
local COUNTED = { d = "done", r = "retried", x = "dead", l = "released", s = "snoozed", p = "parked", c = "cancelled" }

-- Back among those that wait, first or last in line.
local function line_up(q, job, id, add)
  add(BAND[job.band], id)
  if job.band ~= "n" then q.mixed = true end
end

local function settle_one(q, id, job, lease, kind, delay, tail)
  if q.cancel[id] and (kind == "r" or kind == "l" or kind == "s" or kind == "p") then kind = "c" end
  job.tail = tail
  if kind == "k" then
    save(id, job)
    place(ACTIVE, q.now + q.lease_ms, lease)
    q.expiry = math.min(q.expiry, q.now + q.lease_ms) -- a slow request may bring an earlier end
    return
  end
  q.closed[#q.closed + 1] = lease
  q.cancel[id] = nil
  job.fence, job.why = job.fence + 1, "-"
  if SPENDS[kind] then job.attempts = job.attempts + 1 end
  q.count(COUNTED[kind], 1)
  if kind == "d" then
    job.state = "c"
    finish(job)
    place(COMPLETED, q.now, id)
    q.kept = q.kept + 1
  elseif kind == "x" then
    job.state = "x"
    finish(job)
    place(DEAD, q.now, id)
  elseif kind == "c" then
    job.state = "k"
    finish(job)
    place(CANCELLED, q.now, id)
  elseif kind == "p" then
    job.state = "p"
    place(PARKED, q.now + delay, id)
    q.recheck = math.min(q.recheck, q.now + delay)
  elseif kind == "l" and string.sub(lease, -1) == "1" then
    job.why = "suspect" -- it was to run alone and did not get to: it still has to
    push_front(SUSPECTS, id)
    q.suspects = q.suspects + 1
  elseif kind == "l" then
    line_up(q, job, id, push_front)
  elseif delay > 0 then
    place(DELAYED, q.now + delay, id)
    q.due = math.min(q.due, q.now + delay)
  else
    line_up(q, job, id, push)
  end
  save(id, job)
end

-- Which leases are open? Those of this owner's unbroken turns, without asking. Of any other the lease
-- itself must be there: its job may have been deleted and made anew, with the fences beginning anew,
-- or the store may have lost the claim and given the job to somebody else under the same fence.
local function open_leases(q, items, last)
  local unbroken = last and last.seq == q.seq - 1 and q.now < last.sure
  local open, doubted, places = {}, {}, {}
  for i, item in ipairs(items) do
    if unbroken and item.owner == q.owner and item.seq >= last.since then
      open[i] = true
    else
      doubted[#doubted + 1], places[#places + 1] = item.lease, i
    end
  end
  for i, score in ipairs(scores(ACTIVE, doubted)) do open[places[i]] = score end
  return open
end

-- Settle every item; answers one character each: 1 applied, 0 refused (the lease was not ours any
-- more). `last`: what is remembered of this owner's turn before.
local function settle(q, items, raws, last)
  local verdicts, open = {}, open_leases(q, items, last)
  for i, item in ipairs(items) do
    local job = decode(raws[i])
    if job and job.state == "w" and job.fence == item.fence - 1 and open[i] then
      settle_one(q, item.id, job, item.lease, item.kind, item.delay, item.tail)
      verdicts[i] = "1"
    else
      verdicts[i] = "0"
    end
  end
  if #q.closed > 0 then
    variadic("ZREM", ACTIVE, q.closed)
    q.leased = math.max(0, q.leased - #q.closed)
  end
  return table.concat(verdicts)
end
