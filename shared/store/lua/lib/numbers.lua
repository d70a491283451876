-- numbers: whole ones, below 2^53.
local NEVER = 9007199254740991

-- Numbers above 1e14 lose digits through "..": always by format.
local function whole(value) return string.format("%.0f", value) end
