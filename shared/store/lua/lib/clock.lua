-- clock: the store's time in milliseconds, never behind `latest`, the newest time the queue has seen.
-- A `latest` more than an hour ahead comes from a clock that had jumped forward, so it is ignored.
--- @include "keys"
local function now_ms(latest)
  local hour = 3600000
  local time = call("TIME")
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if latest > now and latest - now < hour then return latest end
  return now
end
