-- words: lists of ids as one text, separated by spaces (ids have none).
local function has_word(text, word)
  return string.find(" " .. text .. " ", " " .. word .. " ", 1, true) ~= nil
end

-- table.concat has a limit (2,500 texts or so in GopherLua), so long lists are joined in pieces.
local PIECE = 1000
local function join(texts, separator)
  if #texts <= PIECE then return table.concat(texts, separator) end
  local pieces = {}
  for from = 1, #texts, PIECE do
    pieces[#pieces + 1] = table.concat(texts, separator, from, math.min(from + PIECE - 1, #texts))
  end
  return join(pieces, separator)
end
