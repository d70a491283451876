-- nudges: whether a drain is to be called at once, for a queue in which nothing waited before. Where
-- something waits, its first job has had a drain called, or a turn will come for it. At most one call
-- in a window, over all callers, by the store's time.
--- @include "clock"
--- @include "codes"
--- @include "numbers"
local NUDGE_FIELDS = { ":waits", ":paused", ":nudged" } -- nudged: "instant id", of the last call

-- The answer to an enqueue. `again`: the answer to this request was to call, and no turn has come since.
local NUDGE = { no = "0", call = "1", again = "2" }

-- nil within the window; else the text of ":nudged" for a call now. An instant far ahead is one of a
-- clock that had jumped forward.
local function take_window(window, nudged, id, now)
  local at = tonumber(string.match(nudged or "", "^%d+") or 0)
  if math.abs(now - at) < window then return nil end
  return whole(now) .. " " .. id
end

-- For an enqueue whose first job is `id`; `placed`: it put jobs in line. `values`: the queue's clock
-- comes first, those of NUDGE_FIELDS behind `offset`. Returns the answer and, for a call, the text of
-- ":nudged". Costs a TIME where `now` is 0 and nothing waited.
local function nudge_for(window, id, placed, values, offset, now)
  local waits, paused, nudged = unpack(values, offset + 1, offset + 3)
  if window == 0 or paused == YES then return NUDGE.no end
  if waits == YES then
    local was_told = string.match(nudged or "", " (%S+)$") == id
    return was_told and NUDGE.again or NUDGE.no
  end
  local taken = placed and take_window(window, nudged, id, now > 0 and now or now_ms(tonumber(values[1] or 0)))
  return taken and NUDGE.call or NUDGE.no, taken or nil
end
