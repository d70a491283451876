-- clock: the store's time in milliseconds, never behind `mark`, the newest time this queue has seen.
-- A mark more than an hour ahead is itself the fault (the clock had jumped forward): time goes on.
local HOUR = 3600000
local NEVER = 9007199254740991

-- Numbers above 1e14 lose digits through "..": always by format.
local function whole(value) return string.format("%.0f", value) end

local function now_ms(mark)
  local time = call("TIME")
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if mark > now and mark - now < HOUR then return mark end
  return now
end
