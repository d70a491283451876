-- promote: a delayed job that is due, or a parked one whose recheck is due, waits again.
--- @include "codes"
--- @include "numbers"
--- @include "places"
--- @include "record"
--- @include "writes"

-- A job that did not fit the rest of a window comes first, so that it gets a whole one.
local function promote_one(q, id, job)
  local buffer = job.reason == "unfit" and buffer_push_front or buffer_push
  if job.state == STATE.parked or job.reason == "unfit" then
    if job.state == STATE.parked then job.since = " " .. whole(q.now) end
    if job.reason ~= "crashed" then job.reason = NONE end -- it waits for a deployment that declares its type
    job.state = STATE.live
    save_job(id, job)
  end
  requeue(q, id, job, buffer)
end

-- `raws`: the records of all ids. Those from `first` on are promoted.
local function promote_all(q, ids, raws, first)
  for i = first, #ids do
    local job = decode(rewritten[ids[i]] or raws[i])
    if job then
      promote_one(q, ids[i], job)
    else
      q.count("lost", 1) -- its place goes, so that it does not block the others
    end
  end
end
