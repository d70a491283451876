-- key_room: whether a key of jobs has room for one more start now: a token of its rate, and fewer
-- running jobs than its concurrency. Those are counted from the open leases, which name the key, so
-- that no crash and no stopped turn can make the count wrong.
-- `limits`: rate (0: any), per, burst, concurrency (0: any).
--- @include "key_rate"
--- @include "keys"
--- @include "lease"
local active_by_key = nil -- key -> open leases; nil until read

-- Skips leases of this very turn: an earlier, interrupted try left them, and their jobs wait.
local function read_active(q)
  active_by_key = {}
  for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
    local _, _, owner, seq, key = read_lease(lease)
    local is_own = owner == q.owner and seq == q.seq
    if key and not is_own and not q.is_closed[lease] then
      active_by_key[key] = (active_by_key[key] or 0) + 1
    end
  end
end

local function is_busy(q, limits, key)
  if limits.concurrency == 0 then return false end
  if not active_by_key then read_active(q) end
  return (active_by_key[key] or 0) >= limits.concurrency
end

local function has_token(q, limits, state)
  return limits.rate == 0 or token_at(limits, state.full_at) <= q.now
end

local function key_has_room(q, limits, state)
  return has_token(q, limits, state) and not is_busy(q, limits, state.key)
end

-- How many jobs of the key may start now, `most` at most.
local function room_of(q, limits, state, most)
  if limits.concurrency > 0 and not active_by_key then read_active(q) end
  local room = limits.concurrency > 0 and limits.concurrency - (active_by_key[state.key] or 0) or most
  if limits.rate == 0 then return math.min(room, most) end
  local count, full_at = 0, state.full_at
  while count < math.min(room, most) and token_at(limits, full_at) <= q.now do
    count, full_at = count + 1, full_after(limits, full_at, q.now)
  end
  return count
end

-- One more job of the key starts.
local function take_room(q, limits, state)
  if limits.rate > 0 then
    state.full_at = full_after(limits, state.full_at, q.now)
  end
  if limits.concurrency > 0 then
    if not active_by_key then read_active(q) end
    active_by_key[state.key] = (active_by_key[state.key] or 0) + 1
  end
end

-- When a key with a backlog is to be looked at. The end of a job of a busy key makes a turn look too.
local function look_at(q, limits, state)
  if is_busy(q, limits, state.key) then return q.now + q.lease_ms end
  if limits.rate == 0 then return q.now end
  return math.max(q.now, math.ceil(token_at(limits, state.full_at)))
end
