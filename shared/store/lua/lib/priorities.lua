-- priorities: the three lists of waiting ids.
--- @include "codes"
--- @include "keys"
local LIST = { [PRIORITY.high] = HIGH, [PRIORITY.normal] = NORMAL, [PRIORITY.low] = LOW }

local function anything_waits() return call("EXISTS", HIGH, NORMAL, LOW, SUSPECTS) > 0 end
