-- scalars: the queue's own numbers, kept as fields ":name" of the records hash (a job's id has no
-- colon), so that one HMGET reads them together with the jobs that a turn settles, and one HSET
-- writes both back.
--   paused   1 while nothing may be claimed      clock    newest store time seen (ms)
--   level, at, per   the token bucket            due, expiry, recheck   lower bounds of the next
--   leased, kept, suspects   sizes of the sets     instants in delayed, active and parked
--   mixed    1 if a band other than normal may hold jobs     foreign  1 if the inbox may hold more
--   trimmed  when retention by age is next applied           turns    claims from all bands, for aging
--   cancel   ids of active jobs that shall stop  memo     per live owner: last turn and its answer
--   told     the latest instant a turn has put on the agenda (0: none; NEVER: work may wait before it)
--   totals   outcomes ever counted, in the order of TOTALS
--- @include "numbers"
--- @include "moves"
--- @include "clock"
local FIELDS = { "paused", "clock", "level", "at", "per", "due", "expiry", "recheck", "leased", "kept",
  "suspects", "mixed", "foreign", "trimmed", "turns", "told", "cancel", "memo", "totals" }
local TOTALS = { "claimed", "done", "retried", "dead", "released", "snoozed", "parked", "cancelled",
  "crashed", "lost" }

local function number_or(value, default) return value and tonumber(value) or default end

-- What a turn reads at once: the queue's own numbers, then what the ask names.
local function fields_of(ask)
  local fields = {}
  for i, name in ipairs(FIELDS) do fields[i] = ":" .. name end
  for _, field in ipairs(ask.fields) do fields[#fields + 1] = field end
  return fields
end

-- Turns fetched values (in the order of FIELDS) into the queue's state.
local function read_state(values, ask)
  local raw = {}
  for i, name in ipairs(FIELDS) do raw[name] = values[i] end
  local q = {
    was = raw, paused = raw.paused == "1", mark = number_or(raw.clock, 0),
    bucket = { level = number_or(raw.level, 0), at = number_or(raw.at, 0), per = number_or(raw.per, 0) },
    due = number_or(raw.due, NEVER), expiry = number_or(raw.expiry, NEVER),
    recheck = number_or(raw.recheck, NEVER), leased = number_or(raw.leased, 0),
    kept = number_or(raw.kept, 0), suspects = number_or(raw.suspects, 0), mixed = raw.mixed == "1",
    foreign = raw.foreign == "1", trimmed = number_or(raw.trimmed, 0), turns = number_or(raw.turns, 0),
    told = number_or(raw.told, 0),
    cancel = {}, memo = raw.memo or "", totals = {}, closed = {},
  }
  for id in string.gmatch(raw.cancel or "", "%S+") do q.cancel[id] = true end
  local i = 0
  for count in string.gmatch(raw.totals or "", "%d+") do
    i = i + 1
    q.totals[TOTALS[i]] = tonumber(count)
  end
  q.count = function(name, n) q.totals[name] = (q.totals[name] or 0) + n end
  q.owner, q.seq, q.lease_ms, q.max_bytes = ask.owner, ask.seq, ask.lease_ms, ask.max_bytes
  q.now = now_ms(q.mark)
  return q
end

-- Notes every scalar that changed.
local function write_state(q)
  local cancel, totals = {}, {}
  for id in pairs(q.cancel) do cancel[#cancel + 1] = id end
  table.sort(cancel)
  for i, name in ipairs(TOTALS) do totals[i] = whole(q.totals[name] or 0) end
  local new = {
    paused = q.paused and "1" or "0", clock = whole(q.now), level = whole(q.bucket.level),
    at = whole(q.bucket.at), per = whole(q.bucket.per), due = whole(q.due), expiry = whole(q.expiry),
    recheck = whole(q.recheck), leased = whole(q.leased), kept = whole(q.kept),
    suspects = whole(q.suspects), mixed = q.mixed and "1" or "0", foreign = q.foreign and "1" or "0",
    trimmed = whole(q.trimmed), turns = whole(q.turns), told = whole(q.told), cancel = table.concat(cancel, " "),
    memo = q.memo, totals = table.concat(totals, " "),
  }
  for _, name in ipairs(FIELDS) do
    if new[name] ~= q.was[name] then note(":" .. name, new[name]) end
  end
end

-- The hints anew, from the structures themselves; the inbox and every band may hold something.
local function look_everywhere(q)
  q.leased, q.kept, q.suspects = call("ZCARD", ACTIVE), call("ZCARD", COMPLETED), call("LLEN", SUSPECTS)
  q.due, q.expiry, q.recheck, q.mixed, q.foreign = 0, 0, 0, true, true
end
