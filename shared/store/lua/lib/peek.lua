-- peek: the first ids of the normal list, read before everything else. A turn that claims them reads
-- their records together with the queue's own numbers.
--- @include "fields"
--- @include "keys"
--- @include "writes"
local CANDIDATES = 500 -- ids that a turn looks at where keys may have no room
local peeked = { found = 0, count = 0, raws = {} } -- ids: nil if not read; raws: id -> record, or false

-- `prefetch`: how many records to read at once. Their ids become the last of `request.fields`. Zero: the
-- caller expects no job, so the list is read only if the queue's numbers say that one may wait.
local function peek(request)
  if request.want == 0 or request.prefetch == 0 then return end
  peeked.ids = call("LRANGE", NORMAL, 0, math.max(request.want, request.key_limits and CANDIDATES or 0) - 1)
  peeked.found = #peeked.ids
  peeked.count = math.min(peeked.found, request.prefetch, request.want)
  for i = 1, peeked.count do request.fields[#request.fields + 1] = peeked.ids[i] end
end

-- `values`: what was read for `request.fields` and whatever comes before them.
local function keep_peeked(values, total)
  for i = 1, peeked.count do peeked.raws[peeked.ids[i]] = values[total - peeked.count + i] end
end

-- Records in the order of the ids. Those that `peek` has read are not read again.
local function records_of(ids)
  local missing, found = {}, {}
  for _, id in ipairs(ids) do
    if not rewritten[id] and peeked.raws[id] == nil then missing[#missing + 1] = id end
  end
  for i, raw in ipairs(fetch(missing)) do peeked.raws[missing[i]] = raw end
  for i, id in ipairs(ids) do found[i] = rewritten[id] or peeked.raws[id] end
  return found
end
