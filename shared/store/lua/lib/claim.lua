-- claim: lease up to `want` waiting jobs to one owner. No record is written: the lease itself, a
-- member of the active set, says who holds which fence of a job, and from which turn.
--- @include "keys"
--- @include "record"
--- @include "moves"
--- @include "bucket"

-- high before normal before low, but every 4th time begins with normal and every 8th with low:
-- whatever floods the bands above, the lowest is served one time in eight. Only turns that claim are
-- counted: those in between, that settle or find no token, could fall on the same number each time.
local function bands_in_order(turns)
  if turns % 8 == 7 then return { LOW, NORMAL, HIGH } end
  if turns % 4 == 3 then return { NORMAL, HIGH, LOW } end
  return { HIGH, NORMAL, LOW }
end

local function pop(q, want)
  if not q.mixed then return call("LPOP", NORMAL, want) or {} end
  local ids, bands = {}, bands_in_order(q.turns)
  q.turns = q.turns + 1
  repeat
    local reply = call("LMPOP", 3, bands[1], bands[2], bands[3], "LEFT", "COUNT", want - #ids)
    if not reply then
      q.mixed = #ids > 0 -- all three are empty: until somebody says otherwise, only normal is asked
      return ids
    end
    for _, id in ipairs(reply[2]) do ids[#ids + 1] = id end
  until #ids >= want
  return ids
end

-- Appends lease and record of each claimed job to `reply`.
local function lease_all(q, ids, solo, reply)
  local raws = fetch(ids)
  local till, by = q.now + q.lease_ms, string.format("%s %d %d", q.owner, q.seq, solo)
  local bytes, claimed, back = 0, 0, 0
  for i, id in ipairs(ids) do
    local raw = renewed[id] or raws[i]
    local fence, band = waiting(raw)
    if not fence then
      q.count("lost", 1)
    elseif claimed > 0 and bytes + #raw > q.max_bytes then
      back = back + 1 -- the reply would be too large: these stay first in line
      push_front(BAND[band], id)
    else
      bytes, claimed = bytes + #raw, claimed + 1
      local lease = string.format("%s %d %s", id, fence + 1, by)
      place(ACTIVE, till, lease)
      reply[#reply + 1] = lease
      reply[#reply + 1] = raw
    end
  end
  if claimed > 0 then
    q.leased = q.leased + claimed
    q.expiry = math.min(q.expiry, till)
    q.count("claimed", claimed)
  end
  return claimed, back > 0
end

local function anything_waits() return call("EXISTS", HIGH, NORMAL, LOW, SUSPECTS) > 0 end

-- How many may start now; what holds the others back, and for how long.
local function may_start(q, ask)
  local starts, why, wait = ask.want, "", 0
  if q.paused then return 0, "paused", 0 end
  if ask.concurrency > 0 and starts > ask.concurrency - q.leased then
    starts, why = math.max(0, ask.concurrency - q.leased), "full"
  end
  if ask.rate > 0 then
    refill(q.bucket, q.now, ask.rate, ask.per, ask.burst)
    local tokens = tokens_in(q.bucket)
    if starts > tokens then starts, why, wait = tokens, "limited", token_wait(q.bucket, ask.rate) end
  end
  -- Without a token nothing is popped, so it is not known whether anything waits for one.
  if why == "limited" and starts == 0 and not anything_waits() then why, wait = "empty", 0 end
  return starts, why, wait
end

-- One suspect, by itself, or else a batch.
local function take(q, ask, starts)
  if q.suspects > 0 and ask.alone then
    q.suspects = math.max(0, q.suspects - 1)
    return { call("LPOP", SUSPECTS) or nil }, 1
  end
  return pop(q, starts), 0
end

-- Answers { claims, claimed, why, wait }.
local function claim(q, ask)
  local starts, why, wait = may_start(q, ask)
  local got = { claims = {}, claimed = 0, why = why, wait = wait }
  if starts <= 0 then return got end
  local ids, solo = take(q, ask, starts)
  if solo == 1 then
    got.why = "suspect"
  elseif #ids == 0 and q.suspects > 0 then
    got.why, got.wait = "suspect", 0 -- for a function that runs nothing else
  elseif #ids < starts then
    got.why, got.wait = "empty", 0
  end
  local more
  got.claimed, more = lease_all(q, ids, solo, got.claims)
  -- Too large for one reply, or all that was popped was lost: behind it more may wait.
  if more or (got.claimed == 0 and #ids >= starts) then got.why, got.wait = "", 0 end
  if ask.rate > 0 then q.bucket.level = q.bucket.level - got.claimed * q.bucket.per end
  return got
end
