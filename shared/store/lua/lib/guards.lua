-- guards: names that at most one job may hold, for deduplication and idempotency keys. A guard is
-- stored as "expires fingerprint id state". `expires` 0 holds until the job ends. An upper-case state
-- means that the request with this key was answered as a duplicate, so a repeat is answered so again.
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "names"
--- @include "numbers"
--- @include "record"
--- @include "states"
--- @include "undo"
local GUARD = "^(%d+) (%S+) (%S+) (%a)$"
local MOST_BYTES, OVERHEAD = 64 * 2 ^ 20, 64 -- of all names, which are one entry; of a name besides its text
local MOST_BYTES_WITH_OWN = 72 * 2 ^ 20 -- up to there, names of the engine's own jobs
local guards, changed_guards = {}, {} -- name -> text; name, text, …
local stored_guards = {} -- name -> text before this script
local names_bytes = 0 -- about as many; 0 where the names are few

-- Reads the records of the holders. A guard that holds until its job ends must not outlive a job that
-- was lost (evicted, damaged), or whose end was written without the deletion of its guard (a script
-- that stopped half way).
local function load_holders(idempotency)
  local names, ids = {}, {}
  for name, guard in pairs(guards) do
    local expires, _, id = string.match(guard or "", GUARD)
    if id and (expires == "0" or not idempotency[name]) then names[#names + 1], ids[#ids + 1] = name, id end
  end
  for i, raw in ipairs(fetch(ids)) do
    local job = decode(raw)
    records[ids[i]] = raw
    if not job or (job.state ~= STATE.live and job.state ~= STATE.parked) then
      if string.sub(guards[names[i]], 1, 2) == "0 " then guards[names[i]] = nil end
    end
  end
end

local function load_guards(items, now)
  local names, idempotency = {}, {}
  for _, item in ipairs(items) do
    if item.dedup ~= NONE then names[#names + 1] = item.dedup end
    for _, name in ipairs({ item.idem, item.request }) do
      if name ~= NONE and not idempotency[name] then names[#names + 1], idempotency[name] = name, true end
    end
  end
  for i, guard in ipairs(fetch_each("HMGET", DEDUP, names)) do
    guards[names[i]], stored_guards[names[i]] = guard, guard
  end
  load_holders(idempotency)
  -- Three names for each that this call may add: expired ones go as fast as names come, once they are
  -- a third of all.
  local count = math.max(32, 3 * #names)
  local seen, _, bytes = delete_expired_names(now, count, guards)
  if seen == count then names_bytes = call("HLEN", DEDUP) * (bytes / seen + OVERHEAD) end
end

-- Whether there is room for the names of one more job.
local function names_fit(item)
  if item.dedup == NONE and item.idem == NONE then return true end
  return names_bytes <= (item.is_own and MOST_BYTES_WITH_OWN or MOST_BYTES)
end

-- The guard of this name as { fingerprint, id, state }; nil where none holds now.
local function guard_of(name, now)
  if name == NONE or not guards[name] then return nil end
  local expires, fingerprint, id, state = string.match(guards[name], GUARD)
  if tonumber(expires) > 0 and tonumber(expires) <= now then return nil end
  return { fingerprint = fingerprint, id = id, state = state }
end

-- `ttl` 0 holds until the job ends.
local function set_guard(name, now, ttl, fingerprint, id, state)
  if name == NONE then return end
  local expires = ttl > 0 and now + ttl or 0
  guards[name] = string.format("%s %s %s %s", whole(expires), fingerprint, id, state)
  changed_guards[#changed_guards + 1] = name
  changed_guards[#changed_guards + 1] = guards[name]
end

local function flush_guards() call_chunked("HSET", DEDUP, changed_guards) end

-- Those that were stored before are as they were; where the store refuses that write, they still stand.
local function undo_guards()
  local new, before = {}, {}
  for _, name in ipairs(members_of(changed_guards)) do
    if stored_guards[name] then before[#before + 1], before[#before + 2] = name, stored_guards[name]
    else new[#new + 1] = name end
  end
  try_chunked("HDEL", DEDUP, new)
  try_chunked("HSET", DEDUP, before)
end
