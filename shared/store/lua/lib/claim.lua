-- claim: lease up to `want` waiting jobs to one owner. No record is written: the lease itself, a
-- member of the active set, says who holds which fence of a job, and from which turn.
local function lease_of(id, job, q, solo)
  return string.format("%s %d %s %d %d", id, job.fence + 1, q.owner, q.seq, solo)
end

-- high before normal before low, but every 4th time begins with normal and every 8th with low:
-- whatever floods the bands above, the lowest is served one time in eight. Only turns that claim are
-- counted: those in between, that settle or find no token, could fall on the same number each time.
local function bands_in_order(turns)
  if turns % 8 == 7 then return { LOW, NORMAL, HIGH } end
  if turns % 4 == 3 then return { NORMAL, HIGH, LOW } end
  return { HIGH, NORMAL, LOW }
end

local function pop(q, want)
  if not q.mixed then return call("LPOP", NORMAL, want) or {} end
  local ids, bands = {}, bands_in_order(q.turns)
  q.turns = q.turns + 1
  repeat
    local reply = call("LMPOP", 3, bands[1], bands[2], bands[3], "LEFT", "COUNT", want - #ids)
    if not reply then
      q.mixed = #ids > 0 -- all three are empty: until somebody says otherwise, only normal is asked
      return ids
    end
    for _, id in ipairs(reply[2]) do ids[#ids + 1] = id end
  until #ids >= want
  return ids
end

local function raw_records(ids)
  local missing, raws = {}, {}
  for _, id in ipairs(ids) do
    if not renewed[id] then missing[#missing + 1] = id end
  end
  local fetched = fetch(missing)
  for i, id in ipairs(missing) do raws[id] = fetched[i] end
  for _, id in ipairs(ids) do raws[id] = renewed[id] or raws[id] end
  return raws
end

-- Appends lease, attempts, crashes, "flags key", body and tail of each claimed job to `reply`.
local function lease_all(q, ids, solo, reply)
  local raws = raw_records(ids)
  local bytes, claimed, back = 0, 0, {}
  for _, id in ipairs(ids) do
    local raw = raws[id]
    local job = decode(raw)
    if not job or job.state ~= "w" then
      q.count("lost", 1)
    elseif claimed > 0 and bytes + #raw > q.max_bytes then
      back[#back + 1] = id -- the reply would be too large: these stay first in line
      push_front(BAND[job.band], id)
    else
      bytes, claimed = bytes + #raw, claimed + 1
      local lease = lease_of(id, job, q, solo)
      place(ACTIVE, q.now + q.lease_ms, lease)
      for _, value in ipairs({ lease, job.attempts, job.crashes, job.flags .. " " .. job.key, job.body, job.tail }) do
        reply[#reply + 1] = value
      end
    end
  end
  if claimed > 0 then
    q.leased = q.leased + claimed
    q.expiry = math.min(q.expiry, q.now + q.lease_ms)
    q.count("claimed", claimed)
  end
  return claimed, #back > 0
end
