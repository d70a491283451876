-- lease: a member of the active set, "id fence owner seq exclusive", with the job's key before `exclusive`
-- where keys have a concurrency. lib/batch.lua writes it.
local LEASE = "(%S+) (%d+) (%S+) (%d+) ?(%S*) (%d)"

-- Returns id, fence, owner, seq, key (nil: it names none), exclusive; nothing where the text is no lease.
local function read_lease(text)
  local id, fence, owner, seq, key, exclusive = string.match(text, "^" .. LEASE .. "$")
  return id, tonumber(fence), owner, tonumber(seq), key ~= "" and key or nil, exclusive
end
