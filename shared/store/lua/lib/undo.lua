-- undo: Redis keeps the writes of a script that stops half way. So a script whose write fails takes
-- back its earlier ones: what was refused must not exist. An undo consists of deletes as far as
-- possible, because the store carries those out at its limits too.
--- @include "keys"

-- Goes on whatever fails: the remaining steps still help.
local function try(command, ...) pcall(call, command, ...) end

local function try_chunked(command, key, values) pcall(call_chunked, command, key, values) end

-- Calls `write`. If that fails, calls `undo` and raises the error again.
local function write_or(write, undo)
  local done, failure = pcall(write)
  if done then return end
  undo()
  error(failure, 0)
end
