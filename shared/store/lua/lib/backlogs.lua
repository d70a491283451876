-- backlogs: jobs that wait until their key has room, in the order in which they came to be claimed.
-- BACKLOGS has their ids by key and position. A record says its position in its reason: "key:17", or
-- "suspect:17" of a suspect. A job whose entry stands at that position, within the backlog, waits there,
-- even if a turn that stopped left its id in a list too.
--- @include "key_states"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "staged"
--- @include "writes"
local waiting, left = {}, {} -- what this turn adds to BACKLOGS (field, id, …) and takes from it (fields)

local function backlog_field(key, position) return key .. " " .. whole(position) end

-- Whether the job waits in its key's backlog. Its reason alone does not tell: a turn that stopped may have
-- written it without the key's state. `state`: of its key.
local function stands_in(state, id, reason)
  local position = position_of(reason)
  if not position or position < state.first or position >= state.next then return false end
  return call("HGET", BACKLOGS, backlog_field(state.key, position)) == id
end

-- The set of those of the jobs (id -> job) that wait in backlogs.
local function find_in_backlogs(jobs)
  local found, keys = {}, {}
  for _, job in pairs(jobs) do
    if position_of(job.reason) then keys[#keys + 1] = job.key end
  end
  load_key_states(keys)
  for id, job in pairs(jobs) do
    if position_of(job.reason) and stands_in(key_states[job.key], id, job.reason) then found[id] = true end
  end
  return found
end

-- The job leaves its list for the end of its key's backlog.
local function put_back(q, state, id, raw)
  local job = decode(raw)
  job.reason = (is_suspect(job.reason) and "suspect:" or "key:") .. whole(state.next)
  save_job(id, job)
  waiting[#waiting + 1], waiting[#waiting + 2] = backlog_field(state.key, state.next), id
  state.next = state.next + 1
  q.backlog = q.backlog + 1
end

-- Before the records, which say that the ids stand there.
local function flush_backlogs()
  call_chunked("HSET", BACKLOGS, waiting)
  waiting = {}
end

-- The first ids of several backlogs, in one command, as key -> ids; false where a job was cancelled or
-- deleted. `counts`: key -> how many.
local function first_of_backlogs(counts)
  local fields, keys, ids = {}, {}, {}
  for key, count in pairs(counts) do
    local state = key_states[key]
    for position = state.first, state.first + count - 1 do
      fields[#fields + 1], keys[#keys + 1] = backlog_field(key, position), key
    end
    ids[key] = {}
  end
  for i, id in ipairs(fetch_each("HMGET", BACKLOGS, fields)) do table.insert(ids[keys[i]], id) end
  return ids
end

-- The first job of the backlog leaves it, or was cancelled or deleted (no `id`). Its entry goes last:
-- before `first` it says nothing.
local function leave_backlog(q, state, id)
  if id then
    left[#left + 1] = backlog_field(state.key, state.first)
    q.backlog = math.max(0, q.backlog - 1)
  end
  state.first = state.first + 1
end

local function remove_left()
  if #left > 0 then depart(function() call_chunked("HDEL", BACKLOGS, left) end) end
end
