-- remove_deaths: delete dead letters that are archived. Each names its death, because the same job may
-- have been redriven meanwhile and have died again: that letter stays. The set comes last, as in delete.
-- ARGV  1 queue  2… "id instant fence bytes": the instant of the death, the fence of the record ("-":
--       it is damaged) and its bytes
-- Returns  billed, how many letters are deleted
--- @include "codes"
--- @include "deletes"
--- @include "fields"
--- @include "keys"
--- @include "record"
--- @include "usage"
--- @include "writes"
local DEATH = "^(%S+) (%S+) (%S+) (%d+)$"
local ids, deaths = {}, {}
for i = 2, #ARGV do
  local id, instant, fence, bytes = string.match(ARGV[i], DEATH)
  if not id then return redis.error_reply("TIDEGATE death " .. i - 1 .. " is not well formed") end
  ids[i - 1], deaths[i - 1] = id, { at = tonumber(instant), fence = tonumber(fence), bytes = tonumber(bytes) }
end
local fields = { ":jobs", ":bytes" }
for i, id in ipairs(ids) do fields[i + 2] = id end
local values, scores = fetch(fields), fetch_scores(DEAD, ids)
load_usage(values[1], values[2])

local function is_same(death, raw, score)
  if not score or tonumber(score) ~= death.at or #raw ~= death.bytes then return false end
  local job = decode(raw)
  if not job then return not death.fence end
  return job.state == STATE.dead and job.fence == death.fence
end

local gone, raws, members = {}, {}, {}
for i, id in ipairs(ids) do
  local raw = values[i + 2] or ""
  if is_same(deaths[i], raw, scores[i]) then
    members[#members + 1] = id
    if raw ~= "" then gone[#gone + 1], raws[#raws + 1] = id, raw end
  end
end
delete_records(gone, raws)
flush_records(true) -- a stop between two shards counts too much, not too little
remove_deleted()
call_chunked("ZREM", DEAD, members)
return { billed, #members }
