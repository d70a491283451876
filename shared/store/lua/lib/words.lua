-- words: lists of ids as one text, separated by spaces (ids have none).
local function has_word(text, word)
  return string.find(" " .. text .. " ", " " .. word .. " ", 1, true) ~= nil
end
