-- purge: delete waiting, suspect and delayed jobs, a page a call; active and ended jobs stay.
-- ARGV  1 queue  2 most jobs to delete in this call
-- Returns  billed, how many were deleted
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "writes"
local most, ids = tonumber(ARGV[2]), {}
for _, key in ipairs({ HIGH, NORMAL, LOW, SUSPECTS }) do
  if #ids < most then
    for _, id in ipairs(call("LPOP", key, most - #ids) or {}) do ids[#ids + 1] = id end
  end
end
if #ids < most then
  for _, id in ipairs(members_of(call("ZPOPMIN", DELAYED, most - #ids))) do ids[#ids + 1] = id end
end
for _, raw in ipairs(fetch(ids)) do
  local job = decode(raw)
  if job then release_dedup(job) end
end
set_field(":suspects", whole(call("LLEN", SUSPECTS)))
flush()
delete_records(ids)
flush_records()
return { billed, #ids }
