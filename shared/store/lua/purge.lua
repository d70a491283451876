-- purge: delete waiting, suspect and delayed jobs, those in backlogs of keys too, a page a call; active and ended jobs stay. Records
-- go before places: what a stop leaves is an id without a job, which the next page or claim drops.
-- The last request and its answer are kept (field ":purged"): a repeat is answered alike.
-- ARGV  1 queue  2 most jobs to delete in this call  3 request id
-- Returns  billed, how many were deleted
--- @include "backlog_entries"
--- @include "codes"
--- @include "deletes"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "usage"
--- @include "writes"
local OWN = 5 -- fields of the queue before those of jobs
local most, fields, listed, suspects = tonumber(ARGV[2]), { ":jobs", ":bytes", ":suspects", ":purged", ":backlog" }, {}, 0

-- The first ids of a list or sorted set, as far as the page has room.
local function read_page(command, key)
  local room = most - (#fields - OWN)
  local page = room > 0 and call(command, key, 0, room - 1) or {}
  for _, id in ipairs(page) do fields[#fields + 1] = id end
  return page
end

for _, key in ipairs({ HIGH, NORMAL, LOW }) do listed[key] = #read_page("LRANGE", key) end
suspects = #read_page("LRANGE", SUSPECTS)
listed[SUSPECTS] = suspects
local delayed = read_page("ZRANGE", DELAYED)

local values, ids, raws = fetch(fields), {}, {}
load_usage(values[1], values[2])
local request, answer = string.match(values[4] or "", "^(%S+) (%d+)$")
if request and request == ARGV[3] then return { billed, tonumber(answer) } end
for i = OWN + 1, #fields do
  local job = decode(values[i])
  if job and job.state == STATE.live then -- else the id alone was left by a script that stopped
    ids[#ids + 1], raws[#raws + 1] = fields[i], job.raw
    release_dedup(job)
  end
end
-- Of the backlogs of keys, as far as the page still has room. Their positions stay until a turn passes them.
local entries, gone = {}, #fields - OWN
local function delete_backlogs()
  local room, count = most - gone, tonumber(values[5] or 0)
  if room == 0 or count == 0 then return end
  for _, one in ipairs(read_entries(call("HRANDFIELD", BACKLOGS, room, "WITHVALUES") or {})) do
    entries[#entries + 1] = one.entry
    if one.waits then
      ids[#ids + 1], raws[#raws + 1] = one.id, one.job.raw
      release_dedup(one.job)
    end
  end
  gone = gone + #entries
  set_field(":backlog", whole(math.max(0, count - #entries)))
end
delete_backlogs()
delete_records(ids, raws)
if suspects > 0 then set_field(":suspects", whole(math.max(0, tonumber(values[3] or 0) - suspects))) end
if gone > 0 then set_field(":purged", string.format("%s %d", ARGV[3], gone)) end
flush_records(true) -- a stop between two shards counts too much, not too little
remove_deleted()
flush()
for key, count in pairs(listed) do
  if count > 0 then call("LPOP", key, count) end
end
call_chunked("ZREM", DELAYED, delayed)
call_chunked("HDEL", BACKLOGS, entries)
return { billed, gone }
