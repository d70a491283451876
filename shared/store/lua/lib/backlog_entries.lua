-- backlog_entries: entries of BACKLOGS with their jobs. Some have none that waits there any more: it was
-- cancelled, or a turn that stopped left the entry of one that runs.
--- @include "codes"
--- @include "fields"
--- @include "key_states"
--- @include "keys"
--- @include "record"
--- @include "staged"

-- `page`: entry, id, … Returns { entry, id, job, waits, is_within } each: if the job waits there, and if
-- its key's backlog reaches there.
local function read_entries(page)
  local ids, keys, entries = {}, {}, {}
  for i = 1, #page, 2 do
    ids[#ids + 1], keys[#keys + 1] = page[i + 1], string.match(page[i], "^%S+")
  end
  load_key_states(keys)
  for i, raw in ipairs(fetch(ids)) do
    local job, position = decode(raw), tonumber(string.match(page[i * 2 - 1], "%d+$"))
    local state = key_states[keys[i]]
    local is_within = state.first <= position and position < state.next
    local waits = job and job.state == STATE.live and job.key == keys[i] and position_of(job.reason) == position
    entries[i] = { entry = page[i * 2 - 1], id = ids[i], job = job, waits = is_within and waits, is_within = is_within }
  end
  return entries
end

-- After a turn that stopped: removes entries that are in no backlog.
local function prune_entries()
  local entries = {}
  local page = call("HRANDFIELD", BACKLOGS, 100, "WITHVALUES") or {} -- fakeredis: nil where there is no hash
  for _, one in ipairs(read_entries(page)) do
    if not one.is_within then entries[#entries + 1] = one.entry end
  end
  depart(function() call_chunked("HDEL", BACKLOGS, entries) end)
end
