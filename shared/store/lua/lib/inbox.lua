-- inbox: raw records that foreign producers pushed become jobs, bytes untouched. Whether they make
-- sense shows when they are executed: a bad one ends dead with its bytes. Their ids start with "~",
-- which callers may not use.
--- @include "codes"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "staged"
--- @include "writes"
local function accept_inbox(q)
  local most = 100
  local raws = call("LRANGE", INBOX, 0, most - 1)
  for i, raw in ipairs(raws) do
    local id = string.format("~%s-%s-%d-%d", whole(q.now), q.owner, q.seq, i)
    save_record(id, new_record(PRIORITY.normal, NONE, NONE, FOREIGN, " " .. whole(q.now), raw))
    buffer_push(NORMAL, id)
  end
  q.foreign = #raws == most
  if #raws > 0 then depart(function() call("LTRIM", INBOX, #raws, -1) end) end
  q.took_in, q.inbox = true, q.inbox or #raws > 0
  if #raws > 0 then q.agenda_at = NEVER end -- the producer did not update the agenda
end
