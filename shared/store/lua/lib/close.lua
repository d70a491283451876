-- close: what one settle does to its job: an end, a wait, a place in line, or a longer lease.
--- @include "codes"
--- @include "events"
--- @include "flags"
--- @include "keys"
--- @include "numbers"
--- @include "places"
--- @include "writes"
local TOTAL = { [KIND.done] = "done", [KIND.retry] = "retried", [KIND.dead] = "dead",
  [KIND.release] = "released", [KIND.snooze] = "snoozed", [KIND.park] = "parked",
  [KIND.cancelled] = "cancelled" }
-- What a job that waits for its death may be settled as and still waits for it, or dies.
local KEEPS_CRASHED = { [KIND.dead] = true, [KIND.release] = true, [KIND.park] = true }
local END_STATE = { [KIND.done] = STATE.completed, [KIND.dead] = STATE.dead,
  [KIND.cancelled] = STATE.cancelled }
local TOLD = { [KIND.done] = EVENT.completed, [KIND.retry] = EVENT.failed, [KIND.dead] = EVENT.failed }

local function keep_lease(q, item, job)
  if item.kind == KIND.decide then
    add_flag(job, DECIDED)
  elseif item.label and string.sub(item.label, 1, 2) ~= "- " then -- it reports progress, not only lines of its log
    add_event(q, EVENT.progress, STATE.active, job.attempts + 1, item.id, item.label)
  end
  local expiry = q.now + q.lease_ms
  save_job(item.id, job)
  buffer_zadd(ACTIVE, expiry, item.lease)
  q.expiry = math.min(q.expiry, expiry) -- a slow request may bring an earlier end than the last one
end

-- The attempt of a job whose crashes were its death is not counted.
local function tell_end(q, item, kind, job, crashed)
  if not TOLD[kind] then return end
  local state = kind == KIND.retry and item.delay > 0 and STATE.delayed or job.state
  add_event(q, TOLD[kind], state, job.attempts + (crashed and 1 or 0), item.id, item.label)
end

local function close(q, item, job)
  local id, kind, due = item.id, item.kind, q.now + item.delay
  -- One whose end is decided may have follow-ups already, so it can't be cancelled any more.
  if q.cancel[id] and not END_STATE[kind] and not has_flag(job, DECIDED) then kind = KIND.cancelled end
  q.cancel[id], job.fence = nil, job.fence + 1
  local end_state, crashed = END_STATE[kind], job.reason == "crashed" -- it waits for its death
  if (end_state or kind == KIND.retry) and not crashed then job.attempts = job.attempts + 1 end
  if not (crashed and KEEPS_CRASHED[kind]) then job.reason = NONE end
  q.count(TOTAL[kind], 1)
  if item.unstarted > 0 then q.unspent[#q.unspent + 1] = q.now - item.unstarted end
  if end_state then
    end_job(id, job, end_state, q.now)
  elseif kind == KIND.park then
    job.state = STATE.parked
    buffer_zadd(PARKED, due, id)
    q.recheck = math.min(q.recheck, due)
  elseif kind == KIND.release and string.sub(item.lease, -1) == YES and not has_flag(job, DECIDED) then
    make_exclusive(q, id, job, buffer_push_front) -- it was to run exclusively and still has to
  elseif kind == KIND.release and item.delay == 0 then
    requeue(q, id, job, buffer_push_front)
  elseif item.delay > 0 then -- retry, snooze, or a release that waits for another window
    if kind == KIND.release and not crashed then job.reason = "unfit" end
    job.since = " " .. whole(due)
    buffer_zadd(DELAYED, due, id)
    q.due = math.min(q.due, due)
  else
    job.since = " " .. whole(q.now)
    requeue(q, id, job, buffer_push)
  end
  save_job(id, job)
  tell_end(q, item, kind, job, crashed)
  if kind == KIND.done then
    q.completed, q.completed_bytes = q.completed + 1, q.completed_bytes + #id + #rewritten[id]
  end
end
