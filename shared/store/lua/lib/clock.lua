-- clock: the store's time in milliseconds, never behind `latest`, the newest time the queue has seen.
-- A `latest` more than an hour ahead comes from a clock that had jumped forward, so it is ignored.
--- @include "keys"
local HOUR = 3600000 -- store/sweeps.py has the same
local function now_ms(latest)
  local time = call("TIME")
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if latest > now and latest - now < HOUR then return latest end
  return now
end
