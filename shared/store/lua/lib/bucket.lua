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

-- Tokens of claimed jobs whose handler was not called; `ages` says how long ago (ms) the time of each
-- was, below zero where it is still to come. What the bucket gains between that time and the next
-- free token is subtracted, because it might have overflowed without the claim: so in no window do
-- more jobs start than the limit allows. The latest token comes first: it alone has none behind it.
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

-- Milliseconds until the time of the last token that was taken ahead, if `count` more are taken now.
-- Until then no other job of the queue can start, so leases may last so much longer: ten minutes at most.
local function ms_ahead(bucket, now, rate, count)
  if rate == 0 then return 0 end
  local level = bucket.level + math.max(0, now - bucket.at) * rate - count * bucket.per
  return math.min(600000, math.max(0, math.ceil(-level / rate)))
end
