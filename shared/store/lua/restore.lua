-- restore: archived dead letters wait again, with attempts and crashes set to 0. A name of its own
-- keeps a name of each, so that one is restored once, whatever becomes of its job.
-- ARGV  1 queue  2 most jobs  3 most bytes of the queue  4 how long the names last (ms); then per letter:
--       id, name, record as it was archived
-- Returns  billed, one code per letter (w it waits, I it was restored before, D a job with its id is
--       stored, N another job holds its deduplication name, F the queue is full, G of names)
--- @include "agenda"
--- @include "bounds"
--- @include "clock"
--- @include "codes"
--- @include "fields"
--- @include "flags"
--- @include "guards"
--- @include "keys"
--- @include "numbers"
--- @include "priorities"
--- @include "record"
--- @include "undo"
--- @include "undo_enqueue"
--- @include "usage"
--- @include "writes"
local queue, max_jobs, max_bytes, ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local items, fields = {}, { ":jobs", ":bytes", ":clock", ":names", ":key_bytes" }
for at = 5, #ARGV, 3 do
  local job = decode(ARGV[at + 2])
  if not job then return redis.error_reply("TIDEGATE record of " .. ARGV[at] .. " is damaged") end
  items[#items + 1] = { id = ARGV[at], idem = ARGV[at + 1], dedup = job.dedup, job = job }
  fields[#fields + 1] = ARGV[at]
end
local values, codes, new_ids, lengths = fetch(fields), {}, {}, {}
load_usage(values[1], values[2], values[5])
local now = now_ms(tonumber(values[3] or 0))
load_guards(items, now)

local function restored(item)
  local job, id = item.job, item.id
  job.state, job.attempts, job.crashes, job.reason = STATE.live, 0, 0, NONE
  drop_flag(job, DECIDED)
  job.redrives, job.since = job.redrives + 1, " " .. whole(now)
  local raw = encode(job)
  if not has_room(id, #id + #raw, max_jobs, max_bytes) then return ANSWER.full end
  save_record(id, raw)
  set_guard(item.idem, now, ttl, NONE, id, STATE.live)
  set_guard(item.dedup, now, 0, NONE, id, STATE.live)
  local list = LIST[job.priority]
  buffer_push(list, id)
  new_ids[#new_ids + 1], lengths[list] = id, (lengths[list] or 0) + 1
  if job.priority ~= PRIORITY.normal then set_field(":mixed", YES) end
  return STATE.live
end

for i, item in ipairs(items) do
  local stored = rewritten[item.id] or values[i + 5] or ""
  if guard_of(item.idem, now) then codes[i] = ANSWER.same_request
  elseif stored ~= "" then codes[i] = ANSWER.duplicate
  elseif guard_of(item.dedup, now) then codes[i] = ANSWER.taken
  elseif not names_fit(item) then codes[i] = ANSWER.names
  else codes[i] = restored(item) end
end
if #new_ids == 0 then return { billed, table.concat(codes) } end
set_field(":waits", YES)
if values[4] ~= YES then set_field(":names", YES) end

-- What can fail comes first; the names, which say that it is done, come last.
write_or(function()
  mark_due(queue)
  flush_records()
  flush()
  flush_guards()
end, function() undo_enqueue(new_ids, lengths, {}) end)
return { billed, table.concat(codes) }
