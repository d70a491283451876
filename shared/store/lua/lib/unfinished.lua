-- unfinished: leases that are closed in their job's record: the turn that closed them stopped before it
-- had moved all its ids and removed the leases. The record decides the place of the job.
--- @include "codes"
--- @include "keys"
--- @include "places"
--- @include "staged"
--- @include "unplaced"
--- @include "writes"

-- What the turn counted may be lost: it writes the queue's numbers after the records of other shards.
local function recount_finished(q)
  q.suspects = call("LLEN", SUSPECTS) + buffered(SUSPECTS)
  q.completed, q.cancelled = call("ZCARD", COMPLETED), true
end

-- `unfinished`: { id, job, lease }. Returns the set of the leases that a later turn finishes: each live
-- job costs a search, so a turn makes only MAX_SEARCHES.
local function finish(q, unfinished)
  local live, kept, searches = {}, {}, 0
  for _, one in ipairs(unfinished) do
    local id, job = one.id, one.job
    if ENDED[job.state] then
      q.cancel[id] = nil
      buffer_zadd(ENDED[job.state], q.now, id)
    elseif job.state == STATE.parked then
      buffer_zadd(PARKED, q.now, id)
      q.recheck = q.now
    elseif searches < MAX_SEARCHES then
      searches = searches + 1
      live[id] = job
    else
      kept[one.lease] = true
      q.expiry = q.now
    end
  end
  if next(live) then keep_unplaced(live) end
  for id, job in pairs(live) do
    buffer_push(list_of(job), id)
    if job.priority ~= PRIORITY.normal then q.mixed = true end
  end
  if #unfinished > 0 and #SHARDS > 1 then recount_finished(q) end
  return kept
end
