-- allow: a request of a token that has limits, and the jobs that it wants to store. Nothing is taken unless
-- both fit.
-- KEYS  1 the state of the token, "full_at day jobs": the instant (µs) at which its bucket of requests is full
--       again, a day since 1970 in UTC, and the jobs of that day. It expires a day after the last request.
-- ARGV  1 requests a minute (0: any)  2 jobs a day (0: any)  3 jobs of this request
-- Returns  billed, ms until to ask again (0: allowed), jobs that are left of the day
--- @include "numbers"
local MINUTE, DAY = 60000000, 86400000000 -- µs
local rate, quota, jobs = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call("TIME")
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local today = math.floor(now / DAY)
local full_at, day, used = string.match(redis.call("GET", KEYS[1]) or "", "^(%d+) (%d+) (%d+)$")
full_at = tonumber(full_at or 0)
used = tonumber(day) == today and tonumber(used) or 0

local function refused(micros, left) return { 3, whole(math.ceil(micros / 1000)), whole(left) } end

local left = math.max(0, quota - used)
if quota > 0 and jobs > left then return refused((today + 1) * DAY - now, left) end
if rate > 0 then
  if full_at < now or full_at > now + MINUTE then full_at = now end -- the latter: the clock went back
  full_at = full_at + math.floor(MINUTE / rate)
  if full_at > now + MINUTE then return refused(full_at - now - MINUTE, left) end
end
redis.call("SET", KEYS[1], whole(full_at) .. " " .. whole(today) .. " " .. whole(used + jobs), "PX", whole(DAY / 1000))
return { 4, "0", whole(math.max(0, left - jobs)) }
