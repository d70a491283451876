-- bucket: a token bucket in whole numbers. A token is `per` units and each millisecond adds `rate`
-- units, so nothing is rounded. A bucket starts full; a clock that steps back adds nothing; when a
-- deploy changes `per`, the level keeps its share.
local function refill(bucket, now, rate, per, burst)
  local full = burst * per
  if bucket.per == 0 then
    bucket.level = full
  else
    if bucket.per ~= per then bucket.level = math.floor(bucket.level * per / bucket.per) end
    local elapsed = math.max(0, math.min(now - bucket.at, math.ceil((full - bucket.level) / rate)))
    bucket.level = math.min(full, bucket.level + elapsed * rate)
  end
  bucket.at, bucket.per = now, per
end

-- Returns tokens of jobs that were claimed and never started. `ages`: ms since each token's time,
-- negative if still to come. A token is worth less the more the bucket gained since, because a full
-- bucket would have lost that gain. Youngest first: only it has no later token behind it.
local function give_back(bucket, ages, rate, burst)
  table.sort(ages)
  for _, age in ipairs(ages) do
    local gained = age * rate + math.max(0, -bucket.level)
    local units = math.max(0, bucket.per - math.max(0, gained))
    bucket.level = math.min(burst * bucket.per, bucket.level + units)
  end
end

-- Whole tokens within the next `ahead` ms. One that is taken ahead of its time leaves the level below
-- zero; its job must not start before its time.
local function tokens_in(bucket, rate, ahead)
  return math.max(0, math.floor((bucket.level + ahead * rate) / bucket.per))
end

-- Milliseconds until the next whole token.
local function token_wait(bucket, rate)
  return math.max(1, math.ceil((bucket.per - bucket.level) / rate))
end

local MOST_AHEAD = 600000 -- ms, the bound of any request: no lease lasts for ever

-- Milliseconds until the time of the last token that was taken ahead, if `count` more are taken now.
-- Until then no other job of the queue can start, so leases may last so much longer.
local function ms_ahead(bucket, now, rate, count)
  if rate == 0 then return 0 end
  local level = bucket.level + math.max(0, now - bucket.at) * rate - count * bucket.per
  return math.min(MOST_AHEAD, math.max(0, math.ceil(-level / rate)))
end
