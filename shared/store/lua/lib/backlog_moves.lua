-- backlog_moves: how a turn adds jobs to the backlogs of their keys, and takes them out.
--- @include "backlogs"
--- @include "key_state"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "staged"
--- @include "writes"
local entries_to_remove = {} -- entries that leave BACKLOGS

-- The job leaves its list for the end of its key's backlog.
local function put_back(q, state, id, raw)
  local job = decode(raw)
  job.reason = (is_suspect(job.reason) and "suspect:" or "key:") .. whole(state.next)
  save_job(id, job)
  added[backlog_entry(state.key, state.next)] = id
  state.next = state.next + 1
  q.backlog = q.backlog + 1
end

-- Before the records, which name these places.
local function flush_backlogs()
  local words = {}
  for entry, id in pairs(added) do words[#words + 1], words[#words + 2] = entry, id end
  call_chunked("HSET", BACKLOGS, words)
end

-- The first job of the backlog leaves it, or was cancelled or deleted (no `id`). Its entry goes last:
-- before `first` it has no meaning.
local function leave_backlog(q, state, id)
  if id then
    entries_to_remove[#entries_to_remove + 1] = backlog_entry(state.key, state.first)
    q.backlog = math.max(0, q.backlog - 1)
  end
  state.first = state.first + 1
end

local function remove_entries()
  depart(function() call_chunked("HDEL", BACKLOGS, entries_to_remove) end)
end
