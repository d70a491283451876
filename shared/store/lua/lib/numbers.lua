-- numbers: whole numbers up to 2^53 - 1, the largest that a double holds exactly.
local NEVER = 9007199254740991

-- Lua's own conversion (`..`, tostring) loses digits above 1e14, so numbers become text only here.
local function whole(value) return string.format("%.0f", value) end
