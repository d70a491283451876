-- histogram: how long jobs of a type take, as counts in buckets that grow by half (1 ms, 1.5 ms, …).
-- Old observations fade: once they exceed 1,000, all counts are halved.
--- @include "numbers"
--- @include "writes"
local BUCKETS = 36
local MAX_OBSERVATIONS = 1000

-- `histogram`: "count count …" or nothing; `observed`: "bucket:count …".
local function merge(histogram, observed)
  local counts, total = {}, 0
  for count in string.gmatch(histogram or "", "%d+") do counts[#counts + 1] = tonumber(count) end
  for i = 1, BUCKETS do counts[i] = counts[i] or 0 end
  for bucket, count in string.gmatch(observed, "(%d+):(%d+)") do
    local i = math.min(BUCKETS, math.max(1, tonumber(bucket)))
    counts[i] = counts[i] + tonumber(count)
  end
  for i = 1, BUCKETS do total = total + counts[i] end
  for i = 1, BUCKETS do
    if total > MAX_OBSERVATIONS then counts[i] = math.floor(counts[i] / 2) end
    counts[i] = whole(counts[i])
  end
  return table.concat(counts, " ")
end

local function update_histograms(types, histograms)
  for i, job_type in ipairs(types) do
    if job_type.observed ~= "" then
      set_field(job_type.field, merge(histograms[i], job_type.observed))
    end
  end
end
