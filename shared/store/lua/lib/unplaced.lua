-- unplaced: live jobs whose id stands in no list, set or open lease. A script that stops between a
-- record and its list leaves such a job, and no turn would ever claim it.
--- @include "backlogs"
--- @include "codes"
--- @include "keys"
--- @include "lease"
--- @include "priorities"
--- @include "record"
local MAX_SEARCHES = 10 -- a search reads a whole list, so a script makes only a few

local function list_of(job) return job.reason == "exclusive" and SUSPECTS or LIST[job.priority] end

-- Most jobs in question stand near the end of their list, where one read finds all of them.
local function remove_listed(jobs)
  local tail = 1000
  local lists = {}
  for _, job in pairs(jobs) do lists[list_of(job)] = true end
  for key in pairs(lists) do
    for _, id in ipairs(call("LRANGE", key, -tail, -1)) do jobs[id] = nil end
  end
end

local function remove_delayed(jobs)
  local ids = {}
  for id in pairs(jobs) do ids[#ids + 1] = id end
  for i, score in ipairs(fetch_scores(DELAYED, ids)) do
    if score then jobs[ids[i]] = nil end
  end
end

-- Whether a function holds the job's next fence.
local function is_leased(id, job)
  local prefix = string.format("%s %d ", id, job.fence + 1)
  for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
    if string.sub(lease, 1, #prefix) == prefix then return true end
  end
  return false
end

local function remove_kept_back(jobs)
  for id in pairs(find_in_backlogs(jobs)) do jobs[id] = nil end
end

local function remove_leased(jobs)
  for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
    local id, fence = read_lease(lease)
    if jobs[id] and jobs[id].fence == fence - 1 then jobs[id] = nil end
  end
end

-- Leaves in `jobs` (id -> live job) only those without a place. Beyond MAX_SEARCHES a job counts as
-- placed: the reconciler finds it.
local function keep_unplaced(jobs)
  for _, remove in ipairs({ remove_kept_back, remove_listed, remove_delayed, remove_leased }) do
    if next(jobs) then remove(jobs) end
  end
  local searches = 0
  for id, job in pairs(jobs) do
    searches = searches + 1
    if searches > MAX_SEARCHES or call("LPOS", list_of(job), id) then jobs[id] = nil end
  end
end

-- The unplaced jobs among the items of an enqueue, by id. Their stored records begin at values[offset
-- + 1]. Only a job that was never claimed (fence 0) can be one.
local function find_unplaced(items, values, offset)
  local jobs = {}
  for i, item in ipairs(items) do
    local job = values[i + offset] and decode(values[i + offset])
    if job and job.state == STATE.live and job.fence == 0 then jobs[item.id] = job end
  end
  keep_unplaced(jobs)
  return jobs
end
