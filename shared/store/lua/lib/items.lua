-- items: the jobs of an enqueue by name (enqueue.lua lists the arguments by number).
--- @include "codes"
--- @include "priorities"
local ITEM = "^(%S+) (%a) (%d+) (%d+) (%S+) (%S+) (%d+) (%S+) (%d+) (%S+) (%d) (%S+)( ?%d*)$"

-- The guard of the whole request that this one is a part of ("request/position", see declare/idempotency.py).
local function request_of(idem) return string.match(idem, "^(.+)/%d+$") or NONE end

-- nil where the argument is malformed.
local function read_item(line, body)
  local id, priority, delay, run_at, key, dedup, dedup_ttl, idem, idem_ttl, fingerprint, own, flags, since =
    string.match(line, ITEM)
  if not id or not LIST[priority] then return nil end
  return {
    id = id, priority = priority, delay = tonumber(delay), run_at = tonumber(run_at), key = key,
    dedup = dedup, dedup_ttl = tonumber(dedup_ttl), idem = idem, idem_ttl = tonumber(idem_ttl),
    fingerprint = fingerprint, request = request_of(idem), is_own = own == YES, flags = flags, since = since, body = body,
  }
end

local FIRST = 8 -- the argument with which the first item begins

-- Returns the items, whether one has a guard and whether one has a time; or nil and the position of
-- the first malformed one.
local function read_items(n)
  local items, guarded, timed = {}, false, false
  for i = 1, n do
    local item = read_item(ARGV[FIRST + i * 2 - 2], ARGV[FIRST + i * 2 - 1])
    if not item then return nil, i end
    items[i] = item
    guarded = guarded or item.dedup ~= NONE or item.idem ~= NONE
    timed = timed or item.delay > 0 or item.run_at > 0
  end
  return items, guarded, timed
end
