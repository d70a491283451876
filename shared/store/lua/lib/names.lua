-- names: expired guards are found by sampling: a script reads some names at random and deletes those that
-- have expired.
--- @include "keys"

-- Looks at `count` names at most. `spared`: name -> true for those that stay. Returns how many it saw
-- and how many of them it deleted.
local function delete_expired_names(now, count, spared)
  local sample, expired = call("HRANDFIELD", DEDUP, count, "WITHVALUES") or {}, {}
  for i = 1, #sample, 2 do
    local expires = tonumber(string.match(sample[i + 1], "^%d+"))
    if expires > 0 and expires <= now and not spared[sample[i]] then expired[#expired + 1] = sample[i] end
  end
  call_chunked("HDEL", DEDUP, expired)
  return #sample / 2, #expired
end
