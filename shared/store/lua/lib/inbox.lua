-- inbox: raw records that foreign producers pushed become jobs, bytes untouched. Whether they make
-- sense shows when they are executed: a bad one ends dead with its bytes. Their ids start with "~",
-- which callers may not use.
--- @include "codes"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "staged"
--- @include "usage"
--- @include "writes"
-- The end of an id, its shard: the one that holds the fewest bytes.
local function id_ending()
  if #SHARDS == 1 then return "" end
  local emptiest = 1
  for shard = 2, #SHARDS do
    if usage[shard].bytes < usage[emptiest].bytes then emptiest = shard end
  end
  return string.format("~%d", emptiest - 1)
end

local function accept_inbox(q)
  local most, ending = 100, id_ending()
  local raws = call("LRANGE", INBOX, 0, most - 1)
  for i, raw in ipairs(raws) do
    local id = string.format("~%s-%s-%d-%d%s", whole(q.now), q.owner, q.seq, i, ending)
    save_record(id, new_record(PRIORITY.normal, NONE, NONE, FOREIGN, " " .. whole(q.now), raw))
    buffer_push(NORMAL, id)
  end
  q.foreign = #raws == most
  if #raws > 0 then depart(function() call("LTRIM", INBOX, #raws, -1) end) end
  q.inbox_read, q.inbox = true, q.inbox or #raws > 0
  if #raws > 0 then q.agenda_at = NEVER end -- the producer did not update the agenda
end
