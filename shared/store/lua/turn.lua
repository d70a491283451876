-- turn: one round trip of a drain. Settles what has finished, recovers expired leases, promotes due
-- jobs, takes tokens and claims the next batch. A repeated request (same owner and seq) is answered
-- as before and changes nothing.
-- ARGV  1 queue  2 owner  3 seq  4 want  5 lease ms  6 alone (1: nothing else runs in this function)
--       7 concurrency (0: any)  8 rate (0: any)  9 per ms  10 burst  11 completed kept: count
--       12 and age ms  13 most bytes claimed  14 look (1: everywhere)  15 number of types
--       16 number of settles; then per type: name, ask (1: answer its sketch), observed
--       ("bucket:count …"); then per settle: "lease kind delay_ms", tail
-- Returns  billed, now, why fewer than wanted ("" empty limited full paused suspect), ms until there
--       can be more (0: unknown or none), suspects that wait to run alone, verdicts, ids to cancel,
--       sketches, claims (lease, record; lease, record; …)
--- @include "ask"
--- @include "scalars"
--- @include "memo"
--- @include "settle"
--- @include "inbox"
--- @include "recover"
--- @include "claim"
--- @include "agenda"
--- @include "retention"
--- @include "sketch"
local ask = read_ask()
if not ask then return redis.error_reply("TIDEGATE a settle without a lease") end
local scalars, types, raws = #FIELDS, {}, {}
local values = fetch(fields_of(ask))
for i = 1, #ask.types do types[i] = values[scalars + i] end
for i = 1, #ask.settles do raws[i] = values[scalars + #ask.types + i] end
local q = read_state(values, ask)

local function answer(got, verdicts)
  local cancel, sketches = {}, {}
  for id in pairs(q.cancel) do cancel[#cancel + 1] = id end
  for i, kind in ipairs(ask.types) do
    if kind.wanted then sketches[#sketches + 1] = types[i] or "" end
  end
  return { billed, whole(q.now), got.why, whole(got.wait), q.suspects, verdicts, table.concat(cancel, " "),
    sketches, got.claims }
end

local last, others = recall(q, ask.owner)
if last and ask.seq < last.seq then
  return redis.error_reply("TIDEGATE this turn was overtaken by a later one of its owner")
elseif last and ask.seq == last.seq then
  local verdicts = last.verdicts == "-" and string.rep("1", #ask.settles) or last.verdicts
  return answer({ why = "", wait = 0, claims = claimed_by(q) }, verdicts)
end

local verdicts = settle(q, ask.settles, raws, last)
carry_out() -- before recovery looks: a lease that was just prolonged has not expired
learn(ask.types, types)
if ask.look then look_everywhere(q) end
if q.foreign then take_in(q) end
recover_and_promote(q)
carry_out()
local got = claim(q, ask)
carry_out()
update_agenda(q, ask, got)
trim(q, ask.keep.count, ask.keep.age_ms)
remember(q, last, others, verdicts)
write_state(q)
store_records()
return answer(got, verdicts)
