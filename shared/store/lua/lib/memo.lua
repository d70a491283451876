-- memo: the last turn of every live owner and its answer, so that a repeated request is answered
-- again instead of carried out again. One entry an owner, gone when its leases are:
-- "owner seq expiry since sure verdicts;". What the turns since `since` leased is open until `sure`,
-- if no settle closed it; before `since` the store has lost turns of this owner (a failover).
--- @include "keys"
--- @include "numbers"
--- @include "record"
local function recall(q, owner)
  local kept, mine = {}, nil
  for entry in string.gmatch(q.memo, "[^;]+;") do
    local name, seq, expiry, since, sure, verdicts =
      string.match(entry, "^(%S+) (%d+) (%d+) (%d+) (%d+) (%S+);$")
    if name == owner then
      mine = { seq = tonumber(seq), since = tonumber(since), sure = tonumber(sure), verdicts = verdicts }
    elseif name and tonumber(expiry) > q.now then
      kept[#kept + 1] = entry
    end
  end
  return mine, table.concat(kept)
end

local function remember(q, last, others, verdicts)
  local expiry = q.now + q.lease_ms
  local since, sure = q.seq, expiry
  if last and last.seq == q.seq - 1 then since, sure = last.since, math.min(last.sure, expiry) end
  local answer = string.find(verdicts, "0", 1, true) and verdicts or "-"
  q.memo = others .. string.format("%s %d %s %d %s %s;", q.owner, q.seq, whole(expiry), since, whole(sure), answer)
end

-- What this owner's turn `seq` claimed, read back from the leases themselves.
local function claimed_by(q)
  local reply = {}
  local suffix = string.format(" %s %d", q.owner, q.seq)
  local leases, ids = {}, {}
  for _, lease in ipairs(call("ZRANGE", ACTIVE, 0, -1)) do
    local id, tag = string.match(lease, "^(%S+) %d+( %S+ %d+) %d$")
    if tag == suffix then
      leases[#leases + 1] = lease
      ids[#ids + 1] = id
    end
  end
  local raws = fetch(ids)
  for i, lease in ipairs(leases) do
    if decode(raws[i]) then
      reply[#reply + 1] = lease
      reply[#reply + 1] = raws[i]
    end
  end
  return reply
end
