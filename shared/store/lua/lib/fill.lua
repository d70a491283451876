-- fill: which jobs a batch takes, and from where.
--- @include "batch"
--- @include "codes"
--- @include "deletes"
--- @include "key_gate"
--- @include "key_starts"
--- @include "peek"
--- @include "record"
local BLOCK = 100 -- records that are read at once where keys may have no room

-- Leases jobs of the line until the batch is full. Returns how many ids leave their list.
local function lease_line(q, limits, batch, ids)
  local looked, block = 0, limits and BLOCK or math.max(1, #ids)
  while looked < #ids and batch.count < batch.most do
    local some = limits and { unpack(ids, looked + 1, math.min(#ids, looked + block)) } or ids
    local raws = records_of(some)
    if limits then load_keys_of(raws) end
    for i, id in ipairs(some) do
      local raw = raws[i]
      local fence, key, reason = read_waiting(raw)
      if fence and not batch.leased[id] and not fits(batch, raw) then return looked end
      looked = looked + 1
      if not fence then
        q.count("lost", 1)
        if raw == "" then delete_records({ id }, { raw }) end
      elseif not batch.leased[id] and (not limits or may_pass(q, limits, id, raw, key, reason)) then
        add_lease(batch, id, fence, key, raw)
      end
    end
  end
  return looked
end

-- Fills a batch of up to `most` leases: first from the backlogs of keys that have room again, which get at
-- most half of it while others wait, then from the line.
local function fill(q, limits, batch, line)
  if batch.exclusive == YES then return lease_line(q, nil, batch, line.ids) end
  if limits then
    local half = math.floor((batch.most + (q.totals.claimed or 0) % 2) / 2)
    start_backlogs(q, limits, #line.ids > 0 and half or batch.most, function(id, fence, key, raw)
      local fitting = fits(batch, raw)
      if fitting then add_lease(batch, id, fence, key, raw) end
      return fitting
    end)
  end
  return lease_line(q, limits, batch, line.ids)
end
