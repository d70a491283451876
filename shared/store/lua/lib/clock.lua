-- clock: the store's time in milliseconds, never behind `mark`, the newest time this queue has seen.
-- A mark more than an hour ahead is itself the fault (the clock had jumped forward): time goes on.
--- @include "keys"
local HOUR = 3600000
local function now_ms(mark)
  local time = call("TIME")
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if mark > now and mark - now < HOUR then return mark end
  return now
end
