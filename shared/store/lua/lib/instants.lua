-- instants: jobs that are due in the same millisecond are due in the order of their enqueue, whatever
-- their ids: the score of each is a step above that of the one before.
--- @include "keys"
--- @include "numbers"
local STEPS = 2048 -- a double tells so many scores of a millisecond apart until the year 2109
local MAX_READS = 8 -- instants of one request whose last step is read; the others begin anew
local steps, reads = {}, 0 -- instant -> the next step

local function next_step(at)
  if reads == MAX_READS then return 0 end
  reads = reads + 1
  local last = call("ZREVRANGEBYSCORE", DELAYED, "(" .. whole(at + 1), whole(at), "WITHSCORES", "LIMIT", 0, 1)
  return last[2] and math.floor((tonumber(last[2]) - at) * STEPS) + 1 or 0
end

-- The score of one more job at this instant. `shared`: jobs of other requests may be due then too.
-- Beyond the last step a job is due a millisecond later, still in order.
local function score_at(at, shared)
  local step = steps[at] or (shared and next_step(at) or 0)
  steps[at] = step + 1
  return at + step / STEPS
end
