-- purge: delete waiting, suspect and delayed jobs, a page a call; active and ended ones stay.
-- ARGV  1 queue  2 most jobs to delete in this call
-- Returns  billed, how many went
--- @include "moves"
local most, ids = tonumber(ARGV[2]), {}
for _, key in ipairs({ HIGH, NORMAL, LOW, SUSPECTS }) do
  if #ids < most then
    for _, id in ipairs(call("LPOP", key, most - #ids) or {}) do ids[#ids + 1] = id end
  end
end
if #ids < most then
  local page = call("ZPOPMIN", DELAYED, most - #ids)
  for i = 1, #page, 2 do ids[#ids + 1] = page[i] end
end
for _, raw in ipairs(fetch(ids)) do
  local job = decode(raw)
  if job then finish(job) end
end
note(":suspects", whole(call("LLEN", SUSPECTS)))
carry_out()
forget(ids)
store_records()
return { billed, #ids }
