-- undo: Redis keeps the writes of a script that stops half way. So a script whose write fails takes
-- back its earlier ones: what was refused must not exist. An undo consists of deletes as far as
-- possible, because the store carries those out at its limits too.
--- @include "keys"
--- @include "numbers"

-- Goes on whatever fails: the remaining steps still help.
local function try(command, ...) pcall(call, command, ...) end

local function try_chunked(command, key, values) pcall(call_chunked, command, key, values) end

-- Those of the ids that have left their set already are in it again, as if they had just come.
local function try_return(set, ids, now)
  for from = 1, #ids, CHUNK / 2 do
    local members = {}
    for i = from, math.min(from + CHUNK / 2 - 1, #ids) do
      members[#members + 1], members[#members + 2] = whole(now), ids[i]
    end
    try("ZADD", set, "NX", unpack(members))
  end
end

-- Calls `write`. If that fails, calls `undo` and raises the error again.
local function write_or(write, undo)
  local done, failure = pcall(write)
  if done then return end
  undo()
  error(failure, 0)
end
