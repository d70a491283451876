-- key_rate: the rate of a key of jobs, kept as one instant (GCRA): the ms at which its bucket is full.
-- Instants are multiples of 1/2048 ms, which a double holds exactly, and the interval between two
-- starts is rounded up to such a multiple. So the rate is never exceeded.
-- `limits`: rate, per (ms) and burst.
local PARTS_OF_MS = 2048

local function interval_of(limits)
  return math.ceil(limits.per * PARTS_OF_MS / limits.rate) / PARTS_OF_MS
end

-- The same of a bucket that was declared otherwise before.
local function within_bucket(limits, full_at, now)
  return math.min(full_at, now + limits.burst * interval_of(limits))
end

-- The instant from which the bucket holds a token.
local function token_at(limits, full_at) return full_at - (limits.burst - 1) * interval_of(limits) end

-- When the bucket is full once a token is taken from it now.
local function full_after(limits, full_at, now) return math.max(full_at, now) + interval_of(limits) end
