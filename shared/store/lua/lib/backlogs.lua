-- backlogs: jobs that wait until their key has room, in the order in which they came to be claimed.
-- BACKLOGS has their ids by key and position. A record says its position in its reason: "key:17", or
-- "suspect:17" of a suspect. A job whose entry stands at that position, within the backlog, waits there,
-- even if a turn that stopped left its id in a list too.
--- @include "key_state"
--- @include "key_states"
--- @include "keys"
--- @include "record"
local added = {} -- entry -> id: what this turn adds to BACKLOGS

-- Whether the job waits in its key's backlog. Its reason alone does not tell: a turn that stopped may have
-- written it without the key's state. `state`: of its key.
local function stands_in(state, id, reason)
  local position = position_of(reason)
  if not position or position < state.first or position >= state.next then return false end
  local entry = backlog_entry(state.key, position)
  return (added[entry] or call("HGET", BACKLOGS, entry)) == id
end

-- The set of those of the jobs (id -> job) that wait in backlogs.
local function find_in_backlogs(jobs)
  local found, put_off, keys = {}, {}, {}
  for id, job in pairs(jobs) do
    if position_of(job.reason) then put_off[id], keys[#keys + 1] = job, job.key end
  end
  load_key_states(keys)
  for id, job in pairs(put_off) do
    if stands_in(key_states[job.key], id, job.reason) then found[id] = true end
  end
  return found
end

-- The first ids of several backlogs, in one command, as key -> ids; false where a job was cancelled or
-- deleted. `counts`: key -> how many.
local function first_of_backlogs(counts)
  local fields, keys, ids = {}, {}, {}
  for key, count in pairs(counts) do
    local state = key_states[key]
    for position = state.first, state.first + count - 1 do
      fields[#fields + 1], keys[#keys + 1] = backlog_entry(key, position), key
    end
    ids[key] = {}
  end
  for i, id in ipairs(fetch_each("HMGET", BACKLOGS, fields)) do table.insert(ids[keys[i]], id) end
  return ids
end
