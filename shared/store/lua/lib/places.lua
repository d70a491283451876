-- places: where a job goes when it ends, waits again or must run exclusively. The caller saves the job.
--- @include "codes"
--- @include "events"
--- @include "flags"
--- @include "keys"
--- @include "priorities"
--- @include "writes"

-- Ended jobs: one sorted set per final state, scored by the instant of the end.
local ENDED = { [STATE.completed] = COMPLETED, [STATE.cancelled] = CANCELLED, [STATE.dead] = DEAD }

local function end_job(id, job, state, now)
  job.state, job.since = state, ""
  release_dedup(job)
  if state ~= STATE.dead then job.dedup = NONE end -- a redrive takes the name again
  buffer_zadd(ENDED[state], now, id)
end

-- `buffer` is the end of the list: buffer_push (last) or buffer_push_front (first).
local function requeue(q, id, job, buffer)
  buffer(LIST[job.priority], id)
  if job.priority ~= PRIORITY.normal then q.mixed = true end
end

-- A death by crashes. One that may have follow-ups is settled by the drain that claims the job next.
local function die(q, id, job)
  job.reason = "crashed"
  if q.settles_deaths or has_flag(job, ON_DEAD) then
    requeue(q, id, job, buffer_push_front)
  else
    end_job(id, job, STATE.dead, q.now)
    q.count("dead", 1)
    add_event(q, EVENT.failed, job.state, job.attempts + 1, id)
  end
end

local function make_exclusive(q, id, job, buffer)
  job.reason = "exclusive"
  buffer(SUSPECTS, id)
  q.suspects = q.suspects + 1
end
