-- instants: jobs that are due in the same millisecond are due in the order of their enqueue, whatever
-- their ids: the score of each is a step above that of the one before. Beyond the last step of its
-- millisecond a job is due in the next one that has a step left, still in order.
--- @include "keys"
--- @include "numbers"
local STEPS = 2048 -- a double tells so many scores of a millisecond apart until the year 2109
local MAX_INSTANTS = 8 -- of one request whose last step is read; the others begin anew
local MAX_STRIDES = 40
local steps, instants = {}, 0 -- instant -> the next step

-- The next step of one millisecond, STEPS where it has none left.
local function next_step(at)
  local last = call("ZREVRANGEBYSCORE", DELAYED, "(" .. whole(at + 1), whole(at), "WITHSCORES", "LIMIT", 0, 1)
  return last[2] and math.floor((tonumber(last[2]) - at) * STEPS) + 1 or 0
end

-- The same, counted over the milliseconds that follow: the full ones are passed in strides that double,
-- then halve.
local function first_step(at)
  local step = next_step(at)
  if step < STEPS then return step end
  local full, stride = 0, 1 -- milliseconds behind `at`: the last one known to be full
  for _ = 1, MAX_STRIDES do
    step = next_step(at + full + stride)
    if step < STEPS and stride == 1 then break end
    if step < STEPS then stride = stride / 2 else full, stride = full + stride, stride * 2 end
  end
  return (full + 1) * STEPS + math.min(step, STEPS - 1)
end

-- The score of one more job at this instant. `shared`: jobs of other requests may be due then too.
local function score_at(at, shared)
  local step = steps[at]
  if not step and shared and instants < MAX_INSTANTS then
    instants = instants + 1
    step = first_step(at)
  end
  steps[at] = (step or 0) + 1
  return at + (step or 0) / STEPS
end
