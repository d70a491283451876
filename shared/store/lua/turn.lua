-- turn: one round trip of a drain. Settles what has finished, recovers expired leases, promotes due jobs, takes
-- tokens and claims the next batch. A repeated request (same owner and seq) is answered as before and changes
-- nothing. ARGV: lib/request.lua names them.
-- Returns  billed, now, reason for fewer than wanted (more empty limited full paused suspect), ms until there
--       can be more (0: unknown or none), quarantined jobs that wait, verdicts (one character per
--       settle: 1 applied, 0 stale), ids with a cancel request, histograms, instant of the claim and level of
--       the bucket before it (units), history level, claims (lease, record; …)
--- @include "bounds"
--- @include "bucket"
--- @include "claim"
--- @include "batch"
--- @include "codes"
--- @include "events"
--- @include "fields"
--- @include "histogram"
--- @include "inbox"
--- @include "keys"
--- @include "next_work"
--- @include "numbers"
--- @include "peek"
--- @include "queue_state"
--- @include "leases"
--- @include "recover"
--- @include "replay"
--- @include "request"
--- @include "resync"
--- @include "retention"
--- @include "settle"
--- @include "staged"
--- @include "undo"
--- @include "words"
--- @include "writes"
-- The steps are functions: Lua takes 200 local names at a time, and those of the included files are nearly all.
local function answer(q, request, claimed, verdicts, at)
  local cancel, wanted = {}, {}
  for id in pairs(q.cancel) do cancel[#cancel + 1] = id end
  for i, job_type in ipairs(request.types) do
    if job_type.wanted then wanted[#wanted + 1] = request.histograms[i] or "" end
  end
  return { billed, whole(q.now), claimed.reason, whole(claimed.wait), q.suspects, verdicts, join(cancel, " "), wanted,
    whole(at), whole(claimed.level), history_level(request.queue_max_bytes), claimed.claims }
end

local function answer_again(q, request, last)
  local verdicts = last.verdicts == NONE and string.rep(YES, #request.settles) or last.verdicts
  local claimed = { reason = "more", wait = 0, level = last.level, claims = claims_of_turn(q) }
  return answer(q, request, claimed, verdicts, last.at)
end

local function execute(q, request, values, last, others)
  local raws = {}
  for i = 1, #request.settles do raws[i] = values[#FIELDS + #request.types + i] end
  local verdicts = settle(q, request.settles, raws, last)
  flush_set(ACTIVE) -- before recovery reads the leases: one that was just prolonged has not expired
  prolong_leases(q, request.prolong)
  add_observations(request, request.histograms, values[#FIELDS + request.counters_at])
  flush_set(COMPLETED)
  if request.resync or went_back(q) then resync(q, request.key_limits or q.backlog > 0 or q.key_due < NEVER) end
  if q.foreign then accept_inbox(q, request) end
  recover_and_promote(q)
  trim_by_size(q, request, #request.settles)
  trim_periodically(q, request.keep_count, request.keep_ms)
  local claimed = claim(q, request)
  write_or(function()
    update_agenda(q, request, claimed) -- it has the instant of the next trim
    save_replay(q, request, last, others, verdicts, claimed.level)
    save_state(q)
    flush_records(true) -- a repeat that finds its replay finds the records written
  end, function() unlease(claimed.claims) end)
  move_all(q)
  write_events(q)
  return answer(q, request, claimed, verdicts, q.now)
end

local function run(request)
  if not request then return redis.error_reply("TIDEGATE a number or a lease of this turn can't be read") end
  peek(request)
  local values = fetch(fields_of(request))
  keep_peeked(values, #FIELDS + #request.fields)
  local q = read_state(values, request)
  q.lease_ms = request.lease_ms + ms_ahead(q.bucket, q.now, request.rate, 0)
  request.histograms = {}
  for i = 1, #request.types do request.histograms[i] = values[#FIELDS + i] end
  local last, others = load_replay(q, request.owner)
  if not last or request.seq > last.seq then return execute(q, request, values, last, others) end
  if request.seq == last.seq then return answer_again(q, request, last) end
  return redis.error_reply("TIDEGATE this turn was overtaken by a later one of its owner")
end

return run(read_request())
