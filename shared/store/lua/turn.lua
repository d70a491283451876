-- turn: one round trip of a drain. Settles what has finished, recovers expired leases, promotes due jobs, takes tokens
-- and claims the next batch. A repeated request (same owner and seq) is answered as before and changes nothing.
-- ARGV  1 queue  2 owner  3 seq  4 want  5 lease ms  6 suspects (1: this function runs nothing else and takes one; 2:
--       it takes several, each in a child process; else 0)  7 concurrency (0: any)  8 rate (0: any)  9 per ms
--       10 burst  11 completed jobs kept: count  12 and age ms  13 most bytes claimed  14 resync (1: recount the queue)
--       15 number of types  16 number of settles  17 ahead ms (how far ahead tokens may be taken)  18 number of
--       leases to prolong  19 look (how many waiting jobs' records to read at once)  20 repeat ms (how long this turn
--       may be repeated)  21 most bytes of the queue  22 limits of each key ("rate per burst concurrency", 0: any; "":
--       none)  23 settles deaths (1: a job that crashed to death is handed out, so that its death has follow-ups)
--       24 events (1: tell them); then per type: name, wanted (1: reply with its histogram), observed ("bucket:count
--       …"); then per settle: "lease kind delay_ms unstarted_ms" (0, or if its handler was not called when it might
--       have been) and with events " progress type" ("-": none), history; then leases to prolong; then counters
-- Returns  billed, now, reason for fewer than wanted (more empty limited full paused suspect), ms until there can be
--       more (0: unknown or none), suspects that wait to run exclusively, verdicts (one character per settle: 1
--       applied, 0 stale), ids with a cancel request, histograms, instant of the claim and level of the bucket before
--       it (units), claims (lease, record; lease, record; …)
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
local request = read_request()
if not request then return redis.error_reply("TIDEGATE a number or a lease of this turn can't be read") end
peek(request)
local values = fetch(fields_of(request))
keep_peeked(values, #FIELDS + #request.fields)
local q = read_state(values, request)
q.lease_ms = request.lease_ms + ms_ahead(q.bucket, q.now, request.rate, 0)
local histograms, raws = {}, {}
for i = 1, #request.types do histograms[i] = values[#FIELDS + i] end
for i = 1, #request.settles do raws[i] = values[#FIELDS + #request.types + i] end

local function answer(claimed, verdicts, at)
  local cancel, wanted = {}, {}
  for id in pairs(q.cancel) do cancel[#cancel + 1] = id end
  for i, job_type in ipairs(request.types) do
    if job_type.wanted then wanted[#wanted + 1] = histograms[i] or "" end
  end
  return { billed, whole(q.now), claimed.reason, whole(claimed.wait), q.suspects, verdicts, join(cancel, " "), wanted,
    whole(at), whole(claimed.level), claimed.claims }
end

local last, others = load_replay(q, request.owner)
if last and request.seq < last.seq then
  return redis.error_reply("TIDEGATE this turn was overtaken by a later one of its owner")
elseif last and request.seq == last.seq then
  local verdicts = last.verdicts == NONE and string.rep(YES, #request.settles) or last.verdicts
  local claimed = { reason = "more", wait = 0, level = last.level, claims = claims_of_turn(q) }
  return answer(claimed, verdicts, last.at)
end

local verdicts = settle(q, request.settles, raws, last)
flush_set(ACTIVE) -- before recovery reads the leases: one that was just prolonged has not expired
prolong_leases(q, request.prolong)
add_observations(request, histograms, values[#FIELDS + request.counters_at])
flush_set(COMPLETED)
if request.resync then resync(q, request.key_limits or q.backlog > 0 or q.key_due < NEVER) end
if q.foreign then accept_inbox(q) end
recover_and_promote(q)
trim_by_size(q, request, #request.settles)
trim_periodically(q, request.keep_count, request.keep_ms)
local claimed = claim(q, request)
write_or(function()
  update_agenda(q, request, claimed) -- it tells when to trim again
  save_replay(q, request, last, others, verdicts, claimed.level)
  save_state(q)
  flush_records(true) -- a repeat that finds its replay finds the records written
end, function() unlease(claimed.claims) end)
move_all(q)
write_events(q)
return answer(claimed, verdicts, q.now)
