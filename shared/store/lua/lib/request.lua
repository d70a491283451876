-- request: the arguments of a turn by name. Their numbers stand here alone; store/turn.py writes them in
-- this order. 0 is "any" where a number is a limit.
--- @include "codes"
--- @include "lease"
--- @include "numbers"

-- name, wanted (1: reply with its histogram), observed ("bucket:count …")
local function read_type(at)
  return { field = ":durations:" .. ARGV[at], wanted = ARGV[at + 1] == YES, observed = ARGV[at + 2] }
end

-- "lease kind delay_ms unstarted_ms", where events are wanted with " progress type" ("-": none), history.
-- `unstarted`: if the handler was not called, the time from
-- which it might have started, of its claim or on a limited queue of its token; else 0. nil where the
-- argument names no lease.
local function read_settle(at)
  local lease, id, fence, owner, seq, _, _, kind, delay, unstarted, label =
    string.match(ARGV[at], "^(" .. LEASE .. ") (%l) (%d+) (%d+) ?(.*)$")
  if not id then return nil end
  return { id = id, fence = number_of(fence), owner = owner, seq = number_of(seq), lease = lease,
    kind = kind, delay = number_of(delay), unstarted = number_of(unstarted), history = ARGV[at + 1],
    label = label ~= "" and label or nil }
end

-- The limits of each key, as "rate per burst concurrency"; nil where there are none.
local function read_key_limits(text)
  local rate, per, burst, concurrency = string.match(text, "^(%d+) (%d+) (%d+) (%d+)$")
  if not rate then return nil end
  return { rate = tonumber(rate), per = tonumber(per), burst = tonumber(burst), concurrency = tonumber(concurrency) }
end

-- nil where a number or the lease of a settle can't be read: then no turn of this queue claims a job that
-- none could settle. `fields` are those of the records hash that the turn reads. Behind the numbered ones
-- come the types, the settles, the leases to prolong and what the drain counted.
--   exclusive: the function runs nothing else and takes one quarantined job; isolated: it takes several,
--     each in a child process
--   keep_count, keep_ms: of completed jobs; queue_max_bytes, queue_max_jobs: its bounds
--   claim_max_bytes: of the records that one turn claims
--   ahead_ms: how far ahead tokens may be taken; prefetch: waiting jobs whose records are read at once
--   repeat_ms: how long this turn may be repeated; resync: recount the queue
--   settles_deaths: a job that crashed to death is handed out, so that its death has follow-ups
--   events: add an entry about its jobs to the stream of events
local function read_request()
  local n = tonumber
  for i = 3, 22 do
    if not string.find(ARGV[i], "^%d+$") then return nil end
  end
  local request = {
    queue = ARGV[1], owner = ARGV[2], seq = n(ARGV[3]), want = n(ARGV[4]), lease_ms = n(ARGV[5]),
    exclusive = ARGV[6] == SUSPECTS_BY.exclusive, isolated = ARGV[6] == SUSPECTS_BY.isolated, concurrency = n(ARGV[7]),
    rate = n(ARGV[8]), per = n(ARGV[9]), burst = n(ARGV[10]),
    keep_count = n(ARGV[11]), keep_ms = n(ARGV[12]), claim_max_bytes = n(ARGV[13]), resync = ARGV[14] == YES,
    ahead_ms = n(ARGV[17]), prefetch = n(ARGV[19]), repeat_ms = n(ARGV[20]), queue_max_bytes = n(ARGV[21]),
    queue_max_jobs = n(ARGV[22]), key_limits = read_key_limits(ARGV[23]), key_limits_text = ARGV[23],
    settles_deaths = ARGV[24] == YES, events = ARGV[25] == YES, types = {}, settles = {}, prolong = {}, fields = {},
  }
  local at = 26
  for i = 1, n(ARGV[15]) do
    request.types[i] = read_type(at)
    request.fields[#request.fields + 1] = request.types[i].field
    at = at + 3
  end
  for i = 1, n(ARGV[16]) do
    local item = read_settle(at)
    if not item then return nil end
    request.settles[i] = item
    request.fields[#request.fields + 1] = item.id
    at = at + 2
  end
  for i = 1, n(ARGV[18]) do request.prolong[i] = ARGV[at + i - 1] end
  request.counters, request.counters_at = ARGV[at + n(ARGV[18])], 0
  if request.counters ~= "" then
    request.counters_at = #request.fields + 1
    request.fields[request.counters_at] = ":counters"
  end
  return request
end
