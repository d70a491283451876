-- claim_suspects: which jobs that must run exclusively, or isolated, a claim leases.
--- @include "batch"
--- @include "codes"
--- @include "fill"
--- @include "key_gate"
--- @include "key_looks"
--- @include "key_room"
--- @include "keys"
--- @include "peek"
--- @include "pop"
--- @include "record"
--- @include "staged"

-- Leases suspects whose keys have room, until one that does not fit, or that crashed in spite of its
-- isolation: it must run exclusively. Those that wait for their keys stay, and hold no others. Returns how many
-- ids leave the head of the list, the ids behind one that stays, and whether it stopped before the last.
local function lease_suspects(q, request, limits, batch, ids)
  local raws, head, others, stays = records_of(ids), 0, {}, false
  if limits then load_keys_of(raws) end
  for i, id in ipairs(ids) do
    local raw = raws[i]
    local fence, key = read_waiting(raw)
    if fence and not batch.leased[id] and limits and not key_lets_start(q, limits, key) then
      stays = true
    else
      if not fence then
        drop_lost(q, id, raw)
      elseif not batch.leased[id] then
        if not fits(batch, raw) or request.isolated and has_crashed(raw) then return head, others, true end
        if limits and key ~= NONE then take_room(q, limits, touch(q, limits, key)) end
        add_lease(batch, id, fence, key, raw)
      end
      if stays then others[#others + 1] = id else head = head + 1 end
    end
  end
  return head, others, false
end

-- One suspect, or several that are isolated. nil where all that it looks at wait for their keys.
local function claim_suspects(q, request, limits, most)
  local batch = new_batch(q, request, request.isolated and most or 1, true)
  local line = { ids = {}, keys = {}, buffers = {} }
  line_up(line, SUSPECTS, limits and math.max(batch.most, records_within(batch)) or batch.most, true)
  local head, others, stopped = lease_suspects(q, request, limits, batch, line.ids)
  local leaving = head + #others
  if leaving == 0 and q.suspect_at and not stopped then return nil end
  q.suspects = math.max(0, q.suspects - (#line.ids == 0 and 1 or leaving))
  take(line, head)
  for _, id in ipairs(others) do depart(function() call("LREM", SUSPECTS, 1, id) end) end
  batch.found, batch.looked = leaving + (stopped and 1 or 0), leaving
  return batch
end
