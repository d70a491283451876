-- expired: what the leases that expired say, together with the records of their jobs.
--- @include "codes"
--- @include "lease"
--- @include "record"
--- @include "writes"

-- The leases with their jobs as { lease, id, fence, exclusive, job }, and those leases as a set.
local function read_expired(leases, raws)
  local expired, is_expired = {}, {}
  for i, lease in ipairs(leases) do
    local id, fence, _, _, _, exclusive = read_lease(lease)
    is_expired[lease] = true
    expired[i] = { lease = lease, id = id, fence = fence, exclusive = exclusive == YES,
      job = decode(rewritten[id] or raws[i]) }
  end
  return expired, is_expired
end

-- The leases that crashed, one a job, and those whose close a turn left unfinished.
local function sort_expired(q, expired)
  local crashed, unfinished, seen = {}, {}, {}
  for _, one in ipairs(expired) do
    if not one.job then
      q.cancel[one.id] = nil -- a job that gets this id later was not cancelled
      q.count("lost", 1) -- evicted or damaged
    elseif one.job.state == STATE.live and one.job.fence == one.fence - 1 then
      if not seen[one.id] then crashed[#crashed + 1] = one end
      seen[one.id] = true
    elseif one.job.fence == one.fence then
      unfinished[#unfinished + 1] = one
    end
  end
  return crashed, unfinished
end
