-- enqueue: store jobs, one or many. A job is its id: enqueued again it is the same job and nothing
-- changes. A guard (deduplication, idempotency key) lets one job stand for all that share its name.
-- ARGV  1 queue  2 number of jobs; then per job: "id band delay_ms run_at_ms key dedup dedup_ttl_ms
--       idempotency its_ttl_ms fingerprint" ('-' where there is none), body
-- Returns  billed, one code a job (w waiting, d delayed, D duplicate, I the same request again,
--       M mismatch), then for each D and I: the id that stands for it and its state letter
--- @include "clock"
--- @include "moves"
--- @include "agenda"
local ITEM = "^(%S+) (%a) (%d+) (%d+) (%S+) (%S+) (%d+) (%S+) (%d+) (%S+)$"
local queue, n = ARGV[1], tonumber(ARGV[2])
local items, guards, guarded, timed = {}, {}, false, false
for i = 1, n do
  local id, band, delay, run_at, key, dedup, dedup_ttl, idem, idem_ttl, fingerprint = string.match(ARGV[1 + i * 2], ITEM)
  if not id or not BAND[band] then return redis.error_reply("TIDEGATE job " .. i .. " is not well formed") end
  items[i] = {
    id = id, band = band, delay = tonumber(delay), run_at = tonumber(run_at), key = key, dedup = dedup,
    dedup_ttl = tonumber(dedup_ttl), idem = idem, idem_ttl = tonumber(idem_ttl),
    fingerprint = fingerprint, body = ARGV[2 + i * 2],
  }
  guarded = guarded or dedup ~= "-" or idem ~= "-"
  timed = timed or delay ~= "0" or run_at ~= "0"
end

-- The state of a stored job; nobody can run a damaged record.
local function letter(raw)
  local job = decode(raw)
  return job and job.state or "x"
end

-- The common single job: one command decides whether it is new.
if n == 1 and not guarded and not timed and items[1].band == "n" then
  local item = items[1]
  if call("HSETNX", RECORDS, item.id, fresh("n", item.key, "-", "-", item.body)) == 0 then
    local state = letter(fetch({ item.id })[1]) -- before `billed` is read
    return { billed, "D", item.id, state }
  end
  call("RPUSH", NORMAL, item.id)
  call_to_work(queue)
  return { billed, "w" }
end

local fields = { ":clock", ":due" }
for i = 1, n do fields[i + 2] = items[i].id end
local values = fetch(fields)
local now = 0
if guarded or timed then now = now_ms(tonumber(values[1] or 0)) end

-- A guard that holds until its job ends must not outlive a job that was lost (evicted, damaged).
local function drop_orphans()
  local names, ids = {}, {}
  for name, guard in pairs(guards) do
    local id = guard and string.match(guard, "^0 %S+ (%S+) %a$")
    if id then
      names[#names + 1], ids[#ids + 1] = name, id
    end
  end
  for i, raw in ipairs(fetch(ids)) do
    if not decode(raw) then guards[names[i]] = nil end
  end
end

-- Guards: name -> "expires fingerprint id state"; expires 0 holds until the job ends.
if guarded then
  local names = {}
  for _, item in ipairs(items) do
    if item.dedup ~= "-" then names[#names + 1] = item.dedup end
    if item.idem ~= "-" then names[#names + 1] = item.idem end
  end
  for from = 1, #names, CHUNK do
    local found = call("HMGET", DEDUP, unpack(names, from, math.min(from + CHUNK - 1, #names)))
    for i = 1, #found do guards[names[from + i - 1]] = found[i] end
  end
  drop_orphans()
  -- A few names at random: those that have expired go, so that dead ones can't pile up.
  local sample, expired = call("HRANDFIELD", DEDUP, 4, "WITHVALUES") or {}, {}
  for i = 1, #sample, 2 do
    local expires = tonumber(string.match(sample[i + 1], "^%d+"))
    if expires > 0 and expires <= now and not guards[sample[i]] then expired[#expired + 1] = sample[i] end
  end
  if #expired > 0 then variadic("HDEL", DEDUP, expired) end
end

local function holder(name)
  if name == "-" or not guards[name] then return nil end
  local expires, fingerprint, id, state = string.match(guards[name], "^(%d+) (%S+) (%S+) (%a)$")
  if tonumber(expires) > 0 and tonumber(expires) <= now then return nil end
  return { fingerprint = fingerprint, id = id, state = state }
end

local new_guards = {}
local function hold(name, ttl, fingerprint, id, state)
  if name == "-" then return end
  local expires = ttl > 0 and now + ttl or 0
  guards[name] = string.format("%s %s %s %s", whole(expires), fingerprint, id, state)
  new_guards[#new_guards + 1] = name
  new_guards[#new_guards + 1] = guards[name]
end

local codes, others, seen, due, waiting, mixed = {}, {}, {}, NEVER, false, false
local function instead(code, id, state)
  others[#others + 1] = id
  others[#others + 1] = state
  return code
end

-- The same request again is answered as a duplicate again: a capital letter keeps that.
local function duplicate(item, id, state)
  hold(item.idem, item.idem_ttl, item.fingerprint, id, string.upper(state))
  return instead("D", id, state)
end

local function enqueue(i, item)
  local same = holder(item.idem)
  if same then
    if same.fingerprint ~= item.fingerprint then return "M" end
    local was = string.lower(same.state)
    return instead(was == same.state and "I" or "D", same.id, was)
  end
  local twin = holder(item.dedup)
  if twin then return duplicate(item, twin.id, twin.state) end
  local known = values[i + 2] or seen[item.id]
  if known then return duplicate(item, item.id, letter(known)) end

  local at = item.run_at > 0 and item.run_at or now + item.delay
  local state = (timed and at > now) and "d" or "w"
  local until_ended = item.dedup ~= "-" and item.dedup_ttl == 0
  local record = fresh(item.band, item.key, until_ended and item.dedup or "-", "-", item.body)
  seen[item.id] = record
  note(item.id, record)
  hold(item.dedup, item.dedup_ttl, "-", item.id, state)
  hold(item.idem, item.idem_ttl, item.fingerprint, item.id, state)
  if state == "d" then
    place(DELAYED, at, item.id)
    due = math.min(due, at)
  else
    push(BAND[item.band], item.id)
    waiting = true
  end
  mixed = mixed or item.band ~= "n"
  return state
end

for i, item in ipairs(items) do codes[i] = enqueue(i, item) end
if mixed then note(":mixed", "1") end
if due < tonumber(values[2] or NEVER) then note(":due", whole(due)) end
if #new_guards > 0 then variadic("HSET", DEDUP, new_guards) end
carry_out()
store_records()
if waiting then
  call_to_work(queue)
elseif due < NEVER then
  call("ZADD", AGENDA, "LT", whole(due), queue)
end
return { billed, table.concat(codes), unpack(others) }
