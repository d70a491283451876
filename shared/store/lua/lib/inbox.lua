-- inbox: raw records that foreign producers pushed become jobs here, bytes untouched; whether they
-- make sense is found out when they are executed, where a bad one dies alone, with its bytes. Their
-- ids start with "~", which no caller may choose.
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "moves"
local INTAKE = 100

local function take_in(q)
  local raws = call("LPOP", INBOX, INTAKE) or {}
  for i, raw in ipairs(raws) do
    local id = string.format("~%s-%s-%d-%d", whole(q.now), q.owner, q.seq, i)
    local record = fresh("n", "-", "-", "f", raw)
    renewed[id] = record
    note(id, record)
    push(NORMAL, id)
  end
  q.foreign = #raws == INTAKE
  if #raws > 0 then q.told = NEVER end -- who pushed them has not called anybody to work
end
