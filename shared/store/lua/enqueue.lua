-- enqueue: store jobs, one or many. A job is its id: enqueued again it is the same job and nothing
-- changes. A guard (deduplication, idempotency key) lets one job stand for all that share its name.
-- A lone job costs five commands: one read tells whether it is new and the queue has room.
-- ARGV  1 queue  2 number of jobs  3 most jobs  4 most bytes of the queue; then per job: "id priority
--       delay_ms run_at_ms key dedup dedup_ttl_ms idempotency its_ttl_ms fingerprint" ("-" where
--       there is none), body
-- Returns  billed, one code per job (w waiting, d delayed, D duplicate, I the same request again,
--       M mismatch, F the queue is full), then for each D and I: the id of the job that stands for it
--       and its state
--- @include "codes"
--- @include "items"
--- @include "keys"
--- @include "priorities"
--- @include "record"
--- @include "single"
--- @include "undo"
--- @include "usage"
local queue, n, max_jobs, max_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local items, guarded, timed = read_items(n)
if not items then return redis.error_reply("TIDEGATE job " .. guarded .. " is not well formed") end
local fields = { ":clock", ":due", ":jobs", ":bytes", ":completed" }
for i = 1, n do fields[i + 5] = items[i].id end
local values = fetch(fields)
load_usage(values[3], values[4])
if n == 1 and not values[6] and not guarded and not timed and items[1].priority == PRIORITY.normal then
  local code = enqueue_single(queue, items[1], max_jobs, max_bytes)
  if code then return { billed, code } end
end

--- @include "agenda"
--- @include "clock"
--- @include "existing"
--- @include "guards"
--- @include "numbers"
--- @include "room"
--- @include "unplaced"
--- @include "writes"
local now = (guarded or timed) and now_ms(tonumber(values[1] or 0)) or 0
if guarded then load_guards(items, now) end

local codes, due, waits, mixed = {}, NEVER, false, false
local new_ids, lengths = {}, {} -- ids of this call, and how many of them go on each list
local function store_new(item, before)
  local at = item.run_at > 0 and item.run_at or now + item.delay
  local state = (timed and at > now) and STATE.delayed or STATE.live
  local dedup = item.dedup_ttl == 0 and item.dedup or NONE -- released when the job ends
  local raw = new_record(item.priority, item.key, dedup, NONE, item.body)
  if not before and not make_room(#item.id + #raw, max_jobs, max_bytes, values[5]) then return FULL end
  save_record(item.id, raw, before)
  set_guard(item.dedup, now, item.dedup_ttl, NONE, item.id, state)
  set_guard(item.idem, now, item.idem_ttl, item.fingerprint, item.id, state)
  new_ids[#new_ids + 1] = item.id
  if state == STATE.delayed then
    buffer_zadd(DELAYED, at, item.id)
    due = math.min(due, at)
  else
    local list = LIST[item.priority]
    buffer_push(list, item.id)
    lengths[list] = (lengths[list] or 0) + 1
    waits = true
  end
  mixed = mixed or item.priority ~= PRIORITY.normal
  return state
end

local unplaced = find_unplaced(items, values, 5)
for i, item in ipairs(items) do
  local stored = rewritten[item.id] or values[i + 5]
  local before = not rewritten[item.id] and unplaced[item.id] and stored or nil
  codes[i] = find_existing(item, now, not before and stored) or store_new(item, before)
end
if waits then set_field(":waits", YES) end
if mixed then set_field(":mixed", YES) end
if due < tonumber(values[2] or NEVER) then set_field(":due", whole(due)) end

write_or(function()
  if waits then mark_due(queue) elseif due < NEVER then lower_agenda(queue, due) end
  flush_records()
  flush()
  flush_guards()
end, function()
  try_chunked("HDEL", DEDUP, members_of(changed_guards))
  for list, length in pairs(lengths) do
    if was_pushed(list) then try("RPOP", list, length) end
  end
  try_chunked("ZREM", DELAYED, new_ids)
  try_chunked("HDEL", RECORDS, new_ids)
  try_chunked("HSET", RECORDS, stored_usage())
end)
return { billed, table.concat(codes), unpack(others) }
