-- buffers: what `writes` keeps per structure until it is flushed.
--- @include "numbers"
local function buffer_of(buffers, key)
  local buffer = buffers[key]
  if not buffer then
    buffer = {}
    buffers[key] = buffer
  end
  return buffer
end

local texts = {} -- a script uses few different instants, and formatting one is the slow part
local function text_of(instant)
  local text = texts[instant] -- `instant` is a number: GopherLua's format refuses a string
  if not text then
    text = instant % 1 == 0 and whole(instant) or string.format("%.11f", instant)
    texts[instant] = text
  end
  return text
end
