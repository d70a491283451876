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
--- @include "keys"
--- @include "clock"
--- @include "record"
--- @include "moves"
--- @include "settle"
--- @include "recover"
--- @include "scalars"
--- @include "bucket"
--- @include "claim"
--- @include "agenda"
--- @include "memo"
--- @include "retention"
--- @include "sketch"
--- @include "inbox"
local queue, want = ARGV[1], tonumber(ARGV[4])
local concurrency, rate, per, burst = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local types, settles, fields = {}, {}, {}
for i, name in ipairs(FIELDS) do fields[i] = ":" .. name end
local at = 17
local SETTLE = "^((%S+) (%d+) (%S+) (%d+) %d) (%l) (%d+)$"
for i = 1, tonumber(ARGV[15]) do
  types[i] = { field = ":took:" .. ARGV[at], ask = ARGV[at + 1] == "1", observed = ARGV[at + 2] }
  fields[#fields + 1] = types[i].field
  at = at + 3
end
for i = 1, tonumber(ARGV[16]) do
  local lease, id, fence, owner, seq, kind, delay = string.match(ARGV[at], SETTLE)
  if not id then return redis.error_reply("TIDEGATE a settle without a lease") end
  settles[i] = { id = id, fence = tonumber(fence), owner = owner, seq = tonumber(seq), lease = lease,
    kind = kind, delay = tonumber(delay), tail = ARGV[at + 1] }
  fields[#fields + 1] = id
  at = at + 2
end

local values = fetch(fields)
local q = read_state(values)
q.owner, q.seq, q.lease_ms, q.max_bytes = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[13])
q.now = now_ms(q.mark)

local sketches, claims = {}, {}
local function answer(why, wait, verdicts)
  local cancel = {}
  for id in pairs(q.cancel) do cancel[#cancel + 1] = id end
  return { billed, whole(q.now), why, whole(wait), q.suspects, verdicts, table.concat(cancel, " "), sketches, claims }
end
for i, kind in ipairs(types) do
  if kind.ask then sketches[#sketches + 1] = values[#FIELDS + i] or "" end
end

local last, others = recall(q, q.owner)
if last and q.seq < last.seq then
  return redis.error_reply("TIDEGATE this turn was overtaken by a later one of its owner")
elseif last and q.seq == last.seq then
  claimed_by(q, claims)
  return answer("", 0, last.verdicts == "-" and string.rep("1", #settles) or last.verdicts)
end

local raws = {}
for i = 1, #settles do raws[i] = values[#FIELDS + #types + i] end
local verdicts = settle(q, settles, raws, last)
carry_out() -- before recovery looks: a lease that was just prolonged has not expired
for i, kind in ipairs(types) do
  if kind.observed ~= "" then note(kind.field, merge(values[#FIELDS + i], kind.observed)) end
end
if ARGV[14] == "1" then
  q.leased, q.kept, q.suspects = call("ZCARD", ACTIVE), call("ZCARD", COMPLETED), call("LLEN", SUSPECTS)
  q.due, q.expiry, q.recheck, q.mixed, q.foreign = 0, 0, 0, true, true
end
if q.foreign then take_in(q) end
recover_and_promote(q)
carry_out()

-- How many may start now, and what holds the others back.
local why, wait, starts = "", 0, want
if q.paused then
  why, starts = "paused", 0
elseif concurrency > 0 and starts > concurrency - q.leased then
  why, starts = "full", math.max(0, concurrency - q.leased)
end
if rate > 0 and not q.paused then
  refill(q.bucket, q.now, rate, per, burst)
  if starts > tokens_in(q.bucket) then
    why, starts = "limited", tokens_in(q.bucket)
    wait = token_wait(q.bucket, rate)
  end
end
local claimed, more = 0, false
if starts > 0 then
  local solo = q.suspects > 0 and ARGV[6] == "1"
  local ids
  if solo then
    ids = { call("LPOP", SUSPECTS) or nil }
    q.suspects = math.max(0, q.suspects - 1)
    why = "suspect"
  else
    ids = pop(q, starts)
    if #ids < starts then why, wait = "empty", 0 end
    if #ids == 0 and q.suspects > 0 then why = "suspect" end -- for a function that runs nothing else
  end
  claimed, more = lease_all(q, ids, solo and 1 or 0, claims)
  -- Too large for one reply, or all that was popped was lost: behind it more may wait.
  if more or (claimed == 0 and #ids >= starts) then why, wait = "", 0 end
  if rate > 0 then q.bucket.level = q.bucket.level - claimed * q.bucket.per end
end
carry_out()

-- Without a token nothing was popped, so it is not known yet whether anything waits for one.
local function anything_waits() return call("EXISTS", HIGH, NORMAL, LOW, SUSPECTS) > 0 end
if why == "limited" and starts == 0 and not anything_waits() then why, wait = "empty", 0 end

-- When can there be work again? Only a turn that claimed nothing knows that nothing waits.
local next_timer = math.min(q.due, q.expiry, q.recheck)
if q.leased == 0 then next_timer = math.min(q.due, q.recheck) end
if why == "empty" and next_timer < NEVER then wait = math.max(1, next_timer - q.now) end
if claimed == 0 and want > 0 then
  if why == "paused" or why == "full" then
    q.told = reschedule(queue, q.leased > 0 and q.expiry or NEVER)
  elseif why == "limited" then
    q.told = reschedule(queue, math.min(next_timer, q.now + wait))
  elseif why == "empty" and q.suspects == 0 and not q.foreign then
    q.told = reschedule(queue, next_timer)
  else -- there may be more behind what was popped in vain
    call_to_work(queue)
  end
elseif want == 0 then
  if anything_waits() then
    call_to_work(queue)
  else
    q.told = reschedule(queue, next_timer)
  end
else
  -- Lower the entry if a timer is due before it, or if more jobs may be waiting: an "empty" turn has
  -- popped all that wait, but no suspect and no foreign job.
  local more_wait = why ~= "empty" or q.suspects > 0 or q.foreign
  if next_timer < q.told - SECOND or (more_wait and q.told > q.now) then
    q.told = more_wait and NOW or next_timer
    call("ZADD", AGENDA, "LT", whole(q.told), queue)
  end
end

trim(q, tonumber(ARGV[11]), tonumber(ARGV[12]))
remember(q, last, others, verdicts)
write_state(q)
store_records()
return answer(why, wait, verdicts)
