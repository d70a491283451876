-- fill: which jobs a batch takes, and from where.
--- @include "batch"
--- @include "deletes"
--- @include "key_gate"
--- @include "key_starts"
--- @include "peek"
--- @include "record"
--- @include "usage"
local BLOCK = 100 -- records that are read at once where keys may have no room

-- How many records of the average length a turn may still read. Whether their jobs start or wait for
-- their keys, together they are no more bytes than one reply holds: scripts of a deployment take turns.
local function records_within(batch)
  local left = batch.max_bytes - batch.bytes - batch.put_off
  return math.max(1, math.min(BLOCK, math.floor(left / average_bytes())))
end

-- An id in a list without a live job.
local function drop_lost(q, id, raw)
  q.count("lost", 1)
  if raw == "" then delete_records({ id }, { raw }) end
end

-- Leases jobs of the line until the batch is full. Returns how many ids leave their list.
local function lease_line(q, limits, batch, ids)
  local looked = 0
  while looked < #ids and batch.count < batch.most do
    local some = limits and { unpack(ids, looked + 1, math.min(#ids, looked + records_within(batch))) } or ids
    local raws = records_of(some)
    if limits then load_keys_of(raws) end
    for i, id in ipairs(some) do
      local raw = raws[i]
      local fence, key, reason = read_waiting(raw)
      if batch.count == batch.most or fence and not batch.leased[id] and not fits(batch, raw) then return looked end
      looked = looked + 1
      if not fence then
        drop_lost(q, id, raw)
      elseif not batch.leased[id] and (not limits or may_pass(q, limits, id, raw, key, reason)) then
        add_lease(batch, id, fence, key, raw)
      elseif not batch.leased[id] then
        batch.put_off = batch.put_off + #raw
        if batch.bytes + batch.put_off >= batch.max_bytes then return looked end
      end
    end
  end
  return looked
end

-- Which side gets the odd one of a batch. It changes from turn to turn, and from one turn that begins with
-- the lowest priority (lib/pop.lua) to the next.
local function odd_one(q)
  local n = q.mixed and q.turns + math.floor(q.turns / 8) or q.totals.claimed or 0
  return n % 2
end

-- Fills a batch: first from the backlogs of keys that have room again, which get at most half of it while
-- others wait, then from the line. Returns how many ids leave their list.
local function fill(q, limits, batch, ids)
  if limits then
    local half = math.floor((batch.most + odd_one(q)) / 2)
    start_backlogs(q, limits, #ids > 0 and half or batch.most, function(id, fence, key, raw)
      local fitting = fits(batch, raw)
      if fitting then add_lease(batch, id, fence, key, raw) end
      return fitting
    end)
  end
  return lease_line(q, limits, batch, ids)
end
