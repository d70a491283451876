-- histogram: how long jobs of a type take, as counts in buckets that grow by half (1 ms, 1.5 ms, …).
-- Old observations fade: once they exceed 1,000, all counts are halved.
--- @include "counters"
--- @include "numbers"
--- @include "writes"
-- `histogram`: "count count …" or nothing; `observed`: "bucket:count …".
local function merge(histogram, observed)
  local buckets, most, counts, total = 36, 1000, {}, 0
  for count in string.gmatch(histogram or "", "%d+") do counts[#counts + 1] = tonumber(count) end
  for i = 1, buckets do counts[i] = counts[i] or 0 end
  for bucket, count in string.gmatch(observed, "(%d+):(%d+)") do
    local i = math.min(buckets, math.max(1, tonumber(bucket)))
    counts[i] = counts[i] + tonumber(count)
  end
  for i = 1, buckets do total = total + counts[i] end
  for i = 1, buckets do
    if total > most then counts[i] = math.floor(counts[i] / 2) end
    counts[i] = whole(counts[i])
  end
  return table.concat(counts, " ")
end

-- What a turn observed: durations by job type, and counts of the queue. `counters`: the stored ones.
local function add_observations(request, histograms, counters)
  for i, job_type in ipairs(request.types) do
    if job_type.observed ~= "" then
      set_field(job_type.field, merge(histograms[i], job_type.observed))
    end
  end
  if request.counters ~= "" then add_counters(counters, request.counters) end
end
