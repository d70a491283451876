-- queue_state: the queue's own numbers, stored as fields ":name" of the records hash (a job's id has
-- no colon). One HMGET reads them together with the jobs that a turn settles, one HSET writes both.
--   paused    1: nothing may be claimed          clock      newest store time seen (ms)
--   level, at, per    the token bucket           due, expiry, recheck    lower bounds of the next
--   active, completed, suspects    sizes           instants in delayed, active and parked
--   waits     0: no list of waiting ids holds a job (another word: one may)
--   mixed     1: high or low may hold jobs       foreign    1: the inbox may hold more
--   trim_at   when retention by age is next due  turns      claims over all priorities, for aging
--   cancel    active jobs with a cancel request  replay     per live owner: last turn and its reply
--   agenda_at   the instant a turn last put on the agenda (0: none; NEVER: work may wait before it)
--   moved     the sets that the last turn moved ids from, as a sum: 1 active, 2 delayed, 4 parked
--   totals    outcomes ever counted, in the order of TOTALS
--   jobs, bytes    what the records hash holds; read here with the others, written by lib/usage
--- @include "clock"
--- @include "codes"
--- @include "keys"
--- @include "numbers"
--- @include "staged"
--- @include "usage"
--- @include "words"
--- @include "writes"
local FIELDS = { "paused", "clock", "level", "at", "per", "due", "expiry", "recheck", "active", "completed",
  "suspects", "waits", "mixed", "foreign", "trim_at", "turns", "agenda_at", "moved", "cancel", "replay", "totals",
  "jobs", "bytes" }
local TOTALS = { "claimed", "done", "retried", "dead", "released", "snoozed", "parked", "cancelled",
  "crashed", "lost" }

local function number_or(value, default) return value and tonumber(value) or default end
local function flag(value) return value and YES or NO end

-- The fields that a turn reads at once: the queue's own, then those of the request.
local function fields_of(request)
  local names = {}
  for i, name in ipairs(FIELDS) do names[i] = ":" .. name end
  for _, field in ipairs(request.fields) do names[#names + 1] = field end
  return names
end

-- The queue's state from values in the order of FIELDS, with what identifies this turn.
local function read_state(values, request)
  local raw = {}
  for i, name in ipairs(FIELDS) do raw[name] = values[i] end
  local q = {
    stored = raw, name = request.queue, owner = request.owner, seq = request.seq,
    lease_ms = request.lease_ms, now = now_ms(number_or(raw.clock, 0)), paused = raw.paused == YES,
    bucket = { level = number_or(raw.level, 0), at = number_or(raw.at, 0), per = number_or(raw.per, 0) },
    due = number_or(raw.due, NEVER), expiry = number_or(raw.expiry, NEVER),
    recheck = number_or(raw.recheck, NEVER), active = number_or(raw.active, 0),
    completed = number_or(raw.completed, 0), suspects = number_or(raw.suspects, 0),
    waits = raw.waits ~= NO, mixed = raw.mixed == YES, foreign = raw.foreign == YES, trim_at = number_or(raw.trim_at, 0),
    turns = number_or(raw.turns, 0), agenda_at = number_or(raw.agenda_at, 0), moved = number_or(raw.moved, 0),
    closed = {}, is_closed = {}, unspent = {}, prolonged = false, cancel = {}, replay = raw.replay or "", totals = {},
  }
  load_usage(raw.jobs, raw.bytes)
  for id in string.gmatch(raw.cancel or "", "%S+") do q.cancel[id] = true end
  local i = 0
  for count in string.gmatch(raw.totals or "", "%d+") do
    i = i + 1
    q.totals[TOTALS[i]] = tonumber(count)
  end
  q.count = function(name, n) q.totals[name] = (q.totals[name] or 0) + n end
  return q
end

-- Buffers the fields that changed.
local function save_state(q)
  local cancel, totals = {}, {}
  for id in pairs(q.cancel) do cancel[#cancel + 1] = id end
  table.sort(cancel)
  for i, name in ipairs(TOTALS) do totals[i] = whole(q.totals[name] or 0) end
  local new = {
    paused = flag(q.paused), clock = whole(q.now), level = whole(q.bucket.level), at = whole(q.bucket.at),
    per = whole(q.bucket.per), due = whole(q.due), expiry = whole(q.expiry), recheck = whole(q.recheck),
    active = whole(q.active), completed = whole(q.completed), suspects = whole(q.suspects),
    waits = flag(q.waits or anything_buffered()), mixed = flag(q.mixed), foreign = flag(q.foreign), trim_at = whole(q.trim_at), turns = whole(q.turns),
    agenda_at = whole(q.agenda_at), moved = whole(q.moved), cancel = join(cancel, " "), replay = q.replay,
    totals = table.concat(totals, " "),
  }
  for _, name in ipairs(FIELDS) do
    if new[name] and new[name] ~= q.stored[name] then set_field(":" .. name, new[name]) end
  end
end

-- Recounts the sizes from the structures and assumes that every timer is due and every list holds
-- jobs: for a queue whose agenda entry or state was lost.
local function resync(q)
  q.active, q.completed = math.max(0, call("ZCARD", ACTIVE) - #q.closed), call("ZCARD", COMPLETED)
  q.suspects = call("LLEN", SUSPECTS) + buffered(SUSPECTS)
  q.due, q.expiry, q.recheck, q.waits, q.mixed, q.foreign = 0, 0, 0, true, true, true
end
