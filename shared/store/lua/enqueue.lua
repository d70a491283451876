-- enqueue: store jobs, one or many. A job is its id: enqueued again it is the same job and nothing
-- changes. A guard (deduplication, idempotency key) lets one job stand for all that share its name.
-- ARGV  1 queue  2 number of jobs; then per job: "id priority delay_ms run_at_ms key dedup
--       dedup_ttl_ms idempotency its_ttl_ms fingerprint" ("-" where there is none), body
-- Returns  billed, one code per job (w waiting, d delayed, D duplicate, I the same request again,
--       M mismatch), then for each D and I: the id of the job that stands for it and its state
--- @include "agenda"
--- @include "codes"
--- @include "items"
--- @include "keys"
--- @include "priorities"
--- @include "record"
local queue, n = ARGV[1], tonumber(ARGV[2])
local items, guarded, timed = read_items(n)
if not items then return redis.error_reply("TIDEGATE job " .. guarded .. " is not well formed") end

-- The common case, one job of normal priority without guard and time: HSETNX alone decides whether it
-- is new.
if n == 1 and not guarded and not timed and items[1].priority == PRIORITY.normal then
  local item = items[1]
  if call("HSETNX", RECORDS, item.id, new_record(item.priority, item.key, NONE, NONE, item.body)) == 0 then
    local state = state_of(fetch({ item.id })[1]) -- a call of its own, counted before `billed` is read
    return { billed, DUPLICATE, item.id, state }
  end
  call("RPUSH", NORMAL, item.id)
  mark_due(queue)
  return { billed, STATE.live }
end

-- The general case. Its parts are included only here, so that the common case does not load them.
--- @include "clock"
--- @include "existing"
--- @include "guards"
--- @include "numbers"
--- @include "writes"
local fields = { ":clock", ":due" }
for i = 1, n do fields[i + 2] = items[i].id end
local values = fetch(fields)
local now = (guarded or timed) and now_ms(tonumber(values[1] or 0)) or 0
if guarded then load_guards(items, now) end

local codes, due, waits, mixed = {}, NEVER, false, false
local function store_new(item)
  local at = item.run_at > 0 and item.run_at or now + item.delay
  local state = (timed and at > now) and STATE.delayed or STATE.live
  local dedup = item.dedup_ttl == 0 and item.dedup or NONE -- released when the job ends
  save_record(item.id, new_record(item.priority, item.key, dedup, NONE, item.body))
  set_guard(item.dedup, now, item.dedup_ttl, NONE, item.id, state)
  set_guard(item.idem, now, item.idem_ttl, item.fingerprint, item.id, state)
  if state == STATE.delayed then
    buffer_zadd(DELAYED, at, item.id)
    due = math.min(due, at)
  else
    buffer_push(LIST[item.priority], item.id)
    waits = true
  end
  mixed = mixed or item.priority ~= PRIORITY.normal
  return state
end

for i, item in ipairs(items) do
  codes[i] = find_existing(item, now, rewritten[item.id] or values[i + 2]) or store_new(item)
end
if mixed then set_field(":mixed", YES) end
if due < tonumber(values[2] or NEVER) then set_field(":due", whole(due)) end
flush_guards()
flush()
flush_records()
if waits then
  mark_due(queue)
elseif due < NEVER then
  lower_agenda(queue, due)
end
return { billed, table.concat(codes), unpack(others) }
