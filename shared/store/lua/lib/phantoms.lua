-- phantoms: leases that no function holds. A turn that stopped between its leases and its lists left
-- them, and was never answered: the job still waits, or was claimed again under the same fence.
--- @include "backlogs"
--- @include "keys"
--- @include "lease"
--- @include "unplaced"

-- `held`: { lease, id, fence, job }; `open`: all leases that are not closed. Returns the set of those
-- of the leases that are phantoms.
local function find_phantoms(held, open)
  local phantoms, by_id, lists = {}, {}, {}
  for _, one in ipairs(held) do
    by_id[one.id] = by_id[one.id] or one
    lists[list_of(one.job)] = true
  end
  for _, lease in ipairs(open) do
    local id, fence = read_lease(lease)
    local one = by_id[id]
    if one and one.lease ~= lease and one.fence == fence then phantoms[one.lease] = true end
  end
  for key in pairs(lists) do -- what a turn took stood at the head
    for _, id in ipairs(call("LRANGE", key, 0, 999)) do
      if by_id[id] then phantoms[by_id[id].lease] = true end
    end
  end
  local jobs = {}
  for id, one in pairs(by_id) do jobs[id] = one.job end
  for id in pairs(find_in_backlogs(jobs)) do phantoms[by_id[id].lease] = true end
  return phantoms
end
