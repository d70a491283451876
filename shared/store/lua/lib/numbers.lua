-- numbers: whole numbers up to 2^53 - 1, the largest that a double holds exactly.
local NEVER = 9007199254740991

-- Conversions are slow, and a script has few different numbers, so each is converted once.
local known = {} -- number -> text, text -> number

-- Lua's own conversion (`..`, tostring) loses digits above 1e14, so numbers become text only here.
local function whole(value)
  local text = known[value]
  if not text then
    text = string.format("%.0f", value + 0) -- not "-0"
    known[value] = text
  end
  return text
end

local function number_of(digits)
  local value = known[digits]
  if not value then
    value = tonumber(digits)
    known[digits] = value
  end
  return value
end
