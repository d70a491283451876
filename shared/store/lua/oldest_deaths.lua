-- oldest_deaths: since when the oldest dead letter of each of several queues is dead. Writes nothing.
-- KEYS  the set of dead letters of the first queue, of the second, …
-- Returns  billed, now, then per queue the instant of its oldest death ("": it has no dead letter)
local billed = 2
local time = redis.call("TIME")
local reply = { 0, string.format("%.0f", tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)) }
for _, key in ipairs(KEYS) do
  billed = billed + 1
  reply[#reply + 1] = redis.call("ZRANGE", key, 0, 0, "WITHSCORES")[2] or ""
end
reply[1] = billed
return reply
