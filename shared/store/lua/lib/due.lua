-- due: expired leases, and delayed and parked jobs whose time has come. Bounded: a turn moves at most
-- PAGE of each, the next turn continues.
--- @include "keys"
--- @include "numbers"
--- @include "writes"
local PAGE = 100

-- Moves what this turn has buffered for a sorted set, and is due, into `due`, in the order that it would
-- have in the set (so it makes no difference if it was stored). Returns the first instant of the rest.
local function take_buffered_due(key, now, due)
  local members, rest, first, stored = zadds[key] or {}, {}, NEVER, #due
  for i = 1, #members, 2 do
    local score = tonumber(members[i])
    if score <= now then
      due[#due + 1] = { score, members[i + 1] }
    else
      first = math.min(first, score)
      rest[#rest + 1] = members[i]
      rest[#rest + 1] = members[i + 1]
    end
  end
  zadds[key] = #rest > 0 and rest or nil
  if #due > stored then
    table.sort(due, function(a, b) return a[1] < b[1] or a[1] == b[1] and a[2] < b[2] end)
  end
  return first
end

-- The members of a sorted set that are due, and the instant at which the next one is; but for the
-- leases that this turn has closed and not yet removed.
local function due_until(q, key)
  local most = key == ACTIVE and PAGE + #q.closed or PAGE
  local page, due = call("ZRANGE", key, 0, most - 1, "WITHSCORES"), {}
  local first = NEVER
  for i = 1, #page, 2 do
    local score, is_closed = math.floor(tonumber(page[i + 1])), key == ACTIVE and q.is_closed[page[i]]
    if score > q.now and not is_closed then
      first = score
      break
    elseif not is_closed then
      due[#due + 1] = { tonumber(page[i + 1]), page[i] }
    end
  end
  if #page == 2 * most and first == NEVER then first = q.now end
  first = math.min(first, take_buffered_due(key, q.now, due))
  for i, one in ipairs(due) do due[i] = one[2] end
  return due, first
end

-- Expired leases, due ids of delayed and of parked jobs. One range per set, and only if its bound is due.
local function read_due(q)
  local leases, delayed, parked = {}, {}, {}
  local moved = q.moved -- if the last turn stopped before it removed them, they are still there
  q.moved = 0
  if q.expiry <= q.now or moved % 2 == 1 then leases, q.expiry = due_until(q, ACTIVE) end
  if q.due <= q.now or moved % 4 >= 2 then delayed, q.due = due_until(q, DELAYED) end
  if q.recheck <= q.now or moved >= 4 then parked, q.recheck = due_until(q, PARKED) end
  if #leases > 0 then q.moved = 1 end
  if #delayed > 0 then q.moved = q.moved + 2 end
  if #parked > 0 then q.moved = q.moved + 4 end
  return leases, delayed, parked
end
