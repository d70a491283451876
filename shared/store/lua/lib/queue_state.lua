-- queue_state: the queue's own numbers, stored as fields ":name" of the records hash (a job's id has
-- no colon). One HMGET reads them together with the jobs that a turn settles, one HSET writes both.
--- @include "clock"
--- @include "codes"
--- @include "numbers"
--- @include "staged"
--- @include "usage"
--- @include "words"
--- @include "writes"
local NAMES = {
  -- 1 or 0.  paused: nothing may be claimed; waits: a list of waiting ids may hold a job (so it may if
  -- nothing is stored); mixed: high or low may hold jobs; foreign: the inbox may hold more; inbox: it
  -- has held some; cancelled, names: there may be some to trim; settles_deaths: some deployment's turns
  -- do so; ahead: there may be jobs and leases of a time to which the clock had jumped (lib/resync.lua)
  flags = { "paused", "waits", "mixed", "foreign", "inbox", "cancelled", "names", "settles_deaths", "ahead" },
  -- active, completed, suspects: sizes; completed_bytes: of completed jobs; trim_at: when retention by
  -- age is next due; turns: claims over all priorities, for aging; agenda_at: the instant a turn last
  -- put on the agenda (0: none; NEVER: work may wait before it); moved: the sets that the last turn
  -- moved ids from, as a sum: 1 active, 2 delayed, 4 parked; backlog: jobs in the backlogs of keys;
  -- key_bytes: of the states of keys; inbox_held: bytes of the first record that there was no room for, or 0
  numbers = { "active", "completed", "completed_bytes", "suspects", "trim_at", "turns", "agenda_at",
    "moved", "backlog", "key_bytes", "inbox_held" },
  -- lower bounds of the next instants in delayed, active, parked and key_timers; NEVER where there is none
  timers = { "due", "expiry", "recheck", "key_due" },
  -- clock: newest store time seen (ms); level, at, per: the token bucket; cancel: active jobs with a
  -- cancel request; replay: per live owner, last turn and its reply; totals: outcomes ever counted, in
  -- the order of TOTALS; jobs, bytes: what the records hash holds, written by lib/usage; key_limits: the
  -- limits of each key as the last turn that looked at keys had them; intake: lib/intake.lua
  others = { "clock", "level", "at", "per", "cancel", "replay", "totals", "jobs", "bytes", "key_limits", "intake" },
}
local FIELDS = (function()
  local names = {}
  for _, kind in ipairs({ "flags", "numbers", "timers", "others" }) do
    for _, name in ipairs(NAMES[kind]) do names[#names + 1] = name end
  end
  return names
end)()
local TOTALS = { "claimed", "done", "retried", "dead", "released", "snoozed", "parked", "cancelled",
  "crashed", "lost" }

-- The fields that a turn reads at once: the queue's own, then those of the request.
local function fields_of(request)
  local names = {}
  for i, name in ipairs(FIELDS) do names[i] = ":" .. name end
  for _, field in ipairs(request.fields) do names[#names + 1] = field end
  return names
end

-- The queue's state from values in the order of FIELDS, with what identifies this turn.
local function read_state(values, request)
  local raw, i = {}, 0
  for at, name in ipairs(FIELDS) do raw[name] = values[at] or nil end
  local q = {
    stored = raw, name = request.queue, owner = request.owner, seq = request.seq,
    lease_ms = request.lease_ms, events = request.events and {}, now = now_ms(tonumber(raw.clock or 0)),
    bucket = { level = tonumber(raw.level or 0), at = tonumber(raw.at or 0), per = tonumber(raw.per or 0) },
    closed = {}, is_closed = {}, unspent = {}, prolonged = false, cancel = {}, replay = raw.replay or "",
    totals = {}, key_limits = raw.key_limits, intake = raw.intake,
  }
  for _, name in ipairs(NAMES.flags) do q[name] = raw[name] == YES end
  q.waits, q.settles_deaths = raw.waits ~= NO, q.settles_deaths or request.settles_deaths
  for _, name in ipairs(NAMES.numbers) do q[name] = tonumber(raw[name] or 0) end
  for _, name in ipairs(NAMES.timers) do q[name] = tonumber(raw[name] or NEVER) end
  load_usage(raw.jobs, raw.bytes, raw.key_bytes)
  for id in string.gmatch(raw.cancel or "", "%S+") do q.cancel[id] = true end
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
  q.waits = q.waits or anything_buffered()
  for id in pairs(q.cancel) do cancel[#cancel + 1] = id end
  table.sort(cancel)
  for i, name in ipairs(TOTALS) do totals[i] = whole(q.totals[name] or 0) end
  local new = { clock = whole(q.now), cancel = join(cancel, " "), replay = q.replay,
    totals = table.concat(totals, " "), key_limits = q.key_limits, intake = q.intake }
  for name, value in pairs(q.bucket) do new[name] = whole(value) end
  for _, name in ipairs(NAMES.flags) do new[name] = q[name] and YES or NO end
  for _, name in ipairs(NAMES.numbers) do new[name] = whole(q[name]) end
  for _, name in ipairs(NAMES.timers) do new[name] = whole(q[name]) end
  for _, name in ipairs(FIELDS) do
    if new[name] and new[name] ~= q.stored[name] then set_field(":" .. name, new[name]) end
  end
end
