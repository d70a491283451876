-- shards: which hash holds a job's record. The first one also holds the queue's own fields (":name"). A
-- queue that declares more has further ones, whose content field ":shards" counts (lib/usage.lua).
-- An id that we make has its shard ("…~2"). For any other id each shard draws a number, and the
-- highest one wins: so an id's shard changes only to a new one, and where it was before is known.
--- @include "keys"
local homes = {} -- field -> the shard that holds it, or would
local IN_SHARD = "~(%d+)$"
local MULTIPLIER, MODULUS = 48271, 2147483647 -- their product is below 2^53

-- The shard of a field, then those that may hold it since the queue had fewer.
local function candidates(field)
  if string.sub(field, 1, 1) == ":" then return { 1 } end
  local named = string.match(field, IN_SHARD)
  if named and tonumber(named) < #SHARDS then return { tonumber(named) + 1 } end
  local number, highest, found = 1, -1, {}
  for _, byte in ipairs({ string.byte(field, 1, -1) }) do
    number = (number + byte) * MULTIPLIER % MODULUS
  end
  for shard = 1, #SHARDS do
    number = number * MULTIPLIER % MODULUS
    if number > highest then
      highest = number
      table.insert(found, 1, shard)
    end
  end
  return found
end

local function shard_of(field)
  if #SHARDS == 1 then return 1 end
  local home = homes[field] or candidates(field)[1]
  homes[field] = home
  return home
end
