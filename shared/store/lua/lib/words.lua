-- words: lists of ids as one text, separated by spaces (ids have none).
local function has_word(text, word)
  return string.find(" " .. text .. " ", " " .. word .. " ", 1, true) ~= nil
end

-- table.concat has a limit (2,500 texts or so in GopherLua), so long lists are joined in pieces.
local function join(texts, separator)
  local most = 1000
  if #texts <= most then return table.concat(texts, separator) end
  local pieces = {}
  for from = 1, #texts, most do
    pieces[#pieces + 1] = table.concat(texts, separator, from, math.min(from + most - 1, #texts))
  end
  return join(pieces, separator)
end
