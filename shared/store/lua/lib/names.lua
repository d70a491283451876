-- names: expired guards are found by sampling: a script reads some names at random and deletes those that
-- have expired.
--- @include "keys"

-- Looks at `count` names at most. `spared`: name -> true for those that stay. Returns how many it saw,
-- how many of them it deleted, and the bytes of those that it saw.
local function delete_expired_names(now, count, spared)
  local sample, expired, bytes = call("HRANDFIELD", DEDUP, count, "WITHVALUES") or {}, {}, 0
  for i = 1, #sample, 2 do
    bytes = bytes + #sample[i] + #sample[i + 1]
    local expires = tonumber(string.match(sample[i + 1], "^%d+"))
    if expires > 0 and expires <= now and not spared[sample[i]] then expired[#expired + 1] = sample[i] end
  end
  call_chunked("HDEL", DEDUP, expired)
  return #sample / 2, #expired, bytes
end
