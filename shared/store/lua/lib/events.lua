-- events: what a turn writes for readers of events (store/events.py): one entry of the deployment's
-- stream a turn, "queue now omitted" and a line for each event, "kind state attempt id progress type". The
-- oldest entries go as new ones come. Only where a client turns events on are any written.
--- @include "keys"
--- @include "numbers"
--- @include "undo"
local MOST_ENTRIES, MOST_BYTES = 256, 32768 -- 8 MB at most
local UNTOLD = "- -" -- progress and type of a job whose body no client has read

-- `label`: progress and type, as the client told them.
local function add_event(q, kind, state, attempt, id, label)
  if not q.events then return end
  q.events[#q.events + 1] = kind .. " " .. state .. " " .. whole(attempt) .. " " .. id .. " " .. (label or UNTOLD)
end

-- After all other writes of a turn: an event that is told is true, and one that can't be written (the
-- store is at its limits) takes nothing else along.
local function write_events(q)
  if not q.events or #q.events == 0 then return end
  local lines, size = { "" }, 0
  for _, line in ipairs(q.events) do
    size = size + #line + 1
    if size <= MOST_BYTES then lines[#lines + 1] = line end
  end
  lines[1] = q.name .. " " .. whole(q.now) .. " " .. whole(#q.events - #lines + 1)
  try("XADD", EVENTS, "MAXLEN", MOST_ENTRIES, "*", "told", table.concat(lines, "\n"))
end
