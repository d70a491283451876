-- trims: ended jobs are deleted, with their ids in their set.
--- @include "codes"
--- @include "deletes"
--- @include "fields"
--- @include "keys"
--- @include "staged"
--- @include "writes"
local TRIM_PAGE = 500

-- Takes ids out of an ended set, and the records of those that ended. A turn that stopped may have left
-- an id there whose record is gone, or whose job is live: then only the id goes. Returns how many jobs
-- were deleted, and their bytes.
local function trim(key, ids)
  local raws, ended, ended_raws = fetch(ids), {}, {}
  for i, id in ipairs(ids) do
    local state = string.sub(rewritten[id] or raws[i] or "", 1, 1)
    local may_go = state ~= STATE.live and state ~= STATE.parked and state ~= STATE.dead
    if may_go and raws[i] then -- an empty one is left from a turn that stopped
      ended[#ended + 1] = id
      ended_raws[#ended] = raws[i]
    end
  end
  depart_from(key, ids)
  return delete_records(ended, ended_raws)
end

local function trim_completed(q, ids)
  local count, bytes = trim(COMPLETED, ids)
  q.completed = math.max(0, q.completed - count)
  q.completed_bytes = q.completed > 0 and math.max(0, q.completed_bytes - bytes) or 0
end
