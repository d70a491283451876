-- inspect: one job as it stands, and what its queue would answer it. Writes nothing.
-- ARGV  1 queue  2 id
-- Returns  billed, "found", now, the instant of the last turn (0: none), paused (1, 0), level, per and at of the token bucket, active jobs of
--       the queue, record, place (waiting delayed active parked, or "-": ended), its instant (ms; 0:
--       none), its lease (""), cancel_requested (1, 0), of a job that waits: the state of its key
--       ("full_at first next look", or "") and the key's active jobs
--       or  billed, "" where there is no such job, "damaged" where its record is, that record
--- @include "clock"
--- @include "codes"
--- @include "fields"
--- @include "key_state"
--- @include "keys"
--- @include "lease"
--- @include "numbers"
--- @include "places"
--- @include "record"
--- @include "words"
local id = ARGV[2]
local values = fetch({ ":paused", ":clock", ":level", ":per", ":at", ":active", ":cancel", id })
local job = decode(values[8])
if not job then
  local raw = values[8] or "" -- an empty record was deleted
  return { billed, raw ~= "" and "damaged" or "", raw }
end
local now = now_ms(tonumber(values[2] or 0))

-- Its open lease and the end of it; nil where it has none.
local key_state, key_active = "", 0
local function find_lease()
  local found
  for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
    local _, _, _, _, key = read_lease(lease)
    if key == job.key then key_active = key_active + 1 end
    if string.sub(lease, 1, #id + 1) == id .. " " then found = lease end
  end
  if found then return found, call("ZSCORE", ACTIVE, found) end
end

-- Where the job is, the instant that belongs to that place, its lease.
local function find_place()
  if job.state == STATE.parked then return "parked", call("ZSCORE", PARKED, id) or 0, "" end
  local ended = ENDED[job.state]
  if ended then return NONE, call("ZSCORE", ended, id) or 0, "" end
  local due = call("ZSCORE", DELAYED, id)
  if due then return "delayed", due, "" end
  local lease, expiry = find_lease()
  if lease then return "active", expiry, lease end
  if job.key ~= NONE then key_state = fetch({ key_field(job.key) })[1] or "" end
  return position_of(job.reason) and "delayed" or "waiting", 0, ""
end

local place, instant, lease = find_place()
return { billed, "found", whole(now), values[2] or "0", values[1] == YES and 1 or 0, values[3] or "0", values[4] or "0",
  values[5] or "0", values[6] or "0", job.raw, place, tostring(instant), lease,
  has_word(values[7] or "", id) and 1 or 0, key_state, key_active }
