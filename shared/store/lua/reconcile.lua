-- reconcile: compare the records of some jobs with the places of their ids, and repair what a stopped
-- script or a hand at the database left. A job that a function holds (an open lease) is in its place.
-- A repeat changes nothing.
-- ARGV  1 queue  2 "1" to repair, "0" to report only  3… ids (few: each is searched in every list)
-- Returns  billed, one code per id: sound, requeued (a live job without a place waits again), restored
--       (an ended or parked job is in its set again), removed (an id where no such job belongs)
--- @include "agenda"
--- @include "backlogs"
--- @include "clock"
--- @include "codes"
--- @include "fields"
--- @include "intake"
--- @include "keys"
--- @include "places"
--- @include "priorities"
--- @include "record"
--- @include "unplaced"
--- @include "writes"
local LISTS, SETS = { HIGH, NORMAL, LOW, SUSPECTS }, { DELAYED, PARKED, COMPLETED, CANCELLED, DEAD }
local repairs, fields, jobs, unleased, verdicts = ARGV[2] == YES, { ":clock" }, {}, {}, {}
for i = 3, #ARGV do fields[i - 1] = ARGV[i] end
local raws = fetch(fields)
local now = now_ms(tonumber(raws[1] or 0))
for i = 2, #fields do
  local job = decode(raws[i])
  jobs[fields[i]] = job
  if job and job.state == STATE.live then unleased[fields[i]] = job end
end
if next(unleased) then remove_leased(unleased) end

-- key -> set of those of the ids that stand there.
local standing = {}
for _, key in ipairs(LISTS) do
  standing[key] = {}
  for i = 2, #fields do standing[key][fields[i]] = call("LPOS", key, fields[i]) end
end
for _, key in ipairs(SETS) do
  standing[key] = {}
  for i, score in ipairs(fetch_scores(key, { unpack(fields, 2) })) do standing[key][fields[i + 1]] = score end
end

local kept_back = find_in_backlogs(unleased)
local function belongs(job, key)
  if job.state == STATE.parked then return key == PARKED end
  if job.state ~= STATE.live then return key == ENDED[job.state] end
  return key == DELAYED or key == SUSPECTS or key == LIST[job.priority]
end

local removals = {} -- command, key, argument …
local function place(id, job)
  if job.state == STATE.live then
    if position_of(job.reason) then
      job.reason = NONE
      save_job(id, job)
    end
    buffer_push(list_of(job), id)
    return REPAIR.requeued
  end
  buffer_zadd(job.state == STATE.parked and PARKED or ENDED[job.state], now, id)
  return REPAIR.restored
end
local function examine(id, job)
  local verdict, placed = REPAIR.sound, job and job.state == STATE.live and (not unleased[id] or kept_back[id])
  for _, keys in ipairs({ LISTS, SETS }) do
    for _, key in ipairs(keys) do
      if standing[key][id] and job and not placed and belongs(job, key) then
        placed = true
      elseif standing[key][id] then
        verdict = REPAIR.removed
        removals[#removals + 1] = keys == LISTS and { "LREM", key, 0, id } or { "ZREM", key, id }
      end
    end
  end
  if job and not placed then return place(id, job) end
  return verdict
end
local intake, in_intake = read_intake(fetch({ ":intake" })[1]), call("LLEN", INTAKE)
for i = 2, #fields do
  local damaged = raws[i] and raws[i] ~= "" and not jobs[fields[i]] -- no function can run it, and only a person may delete it
  local is_known = is_in_intake(intake, in_intake, fields[i]) -- the next turn places it
  verdicts[i - 1] = (damaged or is_known) and REPAIR.sound or examine(fields[i], jobs[fields[i]])
end
if repairs and string.find(table.concat(verdicts), "%a") then
  resync_next(ARGV[1]) -- the next turn recounts the queue's own numbers
  call("HSET", RECORDS, ":waits", YES) -- for a turn that comes before the recount
  flush()
  flush_records()
  for _, removal in ipairs(removals) do call(unpack(removal)) end
end
return { billed, table.concat(verdicts) }
