-- sketch: how long jobs of a type take, as counts in buckets that grow by half (1 ms, 1.5 ms, …).
-- Old observations fade: past 1,000 all counts are halved.
--- @include "numbers"
--- @include "moves"
local BUCKETS = 36

local function merge(sketch, observed)
  local counts, total = {}, 0
  for count in string.gmatch(sketch or "", "%d+") do counts[#counts + 1] = tonumber(count) end
  for i = 1, BUCKETS do counts[i] = counts[i] or 0 end
  for bucket, count in string.gmatch(observed, "(%d+):(%d+)") do
    local i = math.min(BUCKETS, math.max(1, tonumber(bucket)))
    counts[i] = counts[i] + tonumber(count)
  end
  for i = 1, BUCKETS do total = total + counts[i] end
  for i = 1, BUCKETS do
    if total > 1000 then counts[i] = math.floor(counts[i] / 2) end
    counts[i] = whole(counts[i])
  end
  return table.concat(counts, " ")
end

local function learn(types, sketches)
  for i, kind in ipairs(types) do
    if kind.observed ~= "" then note(kind.field, merge(sketches[i], kind.observed)) end
  end
end
