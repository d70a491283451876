-- enqueue: store jobs, one or many. A job is its id: a repeat changes nothing. A guard (deduplication,
-- idempotency key) lets one job stand for all that share its name. A lone job costs five commands.
-- ARGV  1 queue  2 number of jobs  3 most jobs  4 most bytes of the queue  5 window of nudges in ms (0:
--       none is sent)  6 rate of each key beyond which its enqueues are refused ("rate per burst", or
--       "")  7 most of a shard, as a multiple of its even share; then per job: "id priority delay_ms run_at_ms key
--       dedup dedup_ttl_ms idempotency its_ttl_ms fingerprint names flags since" ("-" where there is none; names: 1
--       where they are the engine's own; since, in ms, is empty for an id that tells when it was created), body
-- Returns  billed, one code per job (w waiting, d delayed, D duplicate, I the same request again, M mismatch,
--       F the queue is full, G of names, L its key is limited), whether a drain is to be called (lib/nudges.lua), for each
--       D and I the id of the job that stands for it and its state, for each L ms until its key has a token
--- @include "codes"
--- @include "fields"
--- @include "items"
--- @include "key_state"
--- @include "keys"
--- @include "nudges"
--- @include "record"
--- @include "single"
--- @include "undo"
--- @include "usage"
local queue, n, max_jobs, max_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local window, limited, most_of_share = tonumber(ARGV[5]), ARGV[6] ~= "", tonumber(ARGV[7])
local items, guarded, timed = read_items(n)
if not items then return redis.error_reply("TIDEGATE job " .. guarded .. " is not well formed") end
local fields = { ":clock", ":due", ":jobs", ":bytes", ":completed", ":completed_bytes", ":names", ":key_due",
  ":key_bytes", unpack(NUDGE_FIELDS) }
local OWN = #fields -- fields of the queue before those of jobs
for i = 1, n do fields[OWN + i] = items[i].id end
for i = 1, limited and n or 0 do fields[#fields + 1] = key_field(items[i].key) end
local values = fetch(fields)
load_usage(values[3], values[4], values[9])
if n == 1 and not values[OWN + 1] and not (guarded or timed or limited) and items[1].priority == PRIORITY.normal then
  local nudge, nudged = nudge_for(window, items[1].id, true, values, 9, 0)
  local code = enqueue_single(queue, items[1], max_jobs, max_bytes, most_of_share, nudged)
  if code then return { billed, code, nudge } end
end

--- @include "clock"
--- @include "door"
--- @include "existing"
--- @include "guards"
--- @include "numbers"
--- @include "placing"
--- @include "room"
--- @include "undo_enqueue"
--- @include "unplaced"
--- @include "writes"
local now = (guarded or timed or limited) and now_ms(tonumber(values[1] or 0)) or 0
load_kept(values[5], values[6])
load_existing(items, values, OWN, guarded and now)
open_door(ARGV[6], items, values, OWN + n)
local codes = {}
local function store_new(item, before)
  local at = item.run_at > 0 and item.run_at or now + item.delay
  local state = (timed and at > now) and STATE.delayed or STATE.live
  local dedup = item.dedup_ttl == 0 and item.dedup or NONE -- released when the job ends
  local raw = new_record(item.priority, item.key, dedup, item.flags, timed and " " .. whole(at) or item.since, item.body)
  local wait = before and 0 or wait_at_door(item.key, now)
  if wait > 0 then return answer_limited(wait) end
  local fits = before or names_fit(item)
  if not fits and not item.is_own then return ANSWER.names end
  if not before and not make_room(item.id, #item.id + #raw, max_jobs, max_bytes, most_of_share) then return ANSWER.full end
  save_record(item.id, raw, before)
  take_names(item, now, state, fits)
  if not before then take_at_door(item.key, now) end
  place_new(item, state, at, before)
  return answer_new(item.id, state)
end

local unplaced = find_unplaced(items, values, OWN)
for i, item in ipairs(items) do
  local stored = rewritten[item.id] or values[OWN + i] ~= "" and values[OWN + i] -- empty: deleted
  local before = not rewritten[item.id] and unplaced[item.id] and stored or nil
  codes[i] = find_existing(item, now, not before and stored) or store_new(item, before)
end
local nudge, nudged = nudge_for(window, items[1].id, next(lengths) ~= nil, values, 9, now)
if nudged then set_field(":nudged", nudged) end
if #changed_guards > 0 and values[7] ~= YES then set_field(":names", YES) end
set_placed(values[2])
write_or(function()
  enter_agenda(queue)
  if limited then close_door(values[8], values[9]) end
  flush_records()
  flush()
  flush_guards()
end, function()
  undo_enqueue(new_ids, lengths, replaced)
  undo_door(values[9])
end)
return { billed, table.concat(codes), nudge, unpack(others) }
