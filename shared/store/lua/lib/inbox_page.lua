-- inbox_page: how the inbox becomes the intake, and what a turn that stopped left of a page. Where it stopped
--   before the rename      the list is not there, whatever the field says: the next turn begins anew
--   before the field       records may stand under the ids of the page, in no count: the next turn
--                          writes them again, and deletes those that it has no room for now
--   before lists or trim   the list is longer than the field says: the next turn finishes the page,
--                          before it asks for room, because its records have theirs
--- @include "codes"
--- @include "fields"
--- @include "intake"
--- @include "keys"
--- @include "record"
--- @include "staged"
--- @include "unplaced"
--- @include "usage"
--- @include "writes"

-- The shard that holds the fewest bytes, from 0.
local function emptiest_shard()
  local emptiest, fewest = 1, math.huge
  for shard = 1, #SHARDS do
    local _, bytes = used(shard, shard, change)
    if bytes < fewest then emptiest, fewest = shard, bytes end
  end
  return emptiest - 1
end

-- The whole inbox becomes the intake, which is not there.
local function take_over(q, intake)
  intake.left, intake.instant, intake.shard = call("LLEN", INBOX), q.now, emptiest_shard()
  call("HSET", RECORDS, ":intake", intake_text(intake))
  call("RENAME", INBOX, INTAKE)
end

-- How many of the ids stand in the list. A turn pushes them in order, and in two commands if the page begins
-- behind many others: so these are the first of them, and a few looks find the last.
local function count_listed(ids)
  local least, most = 0, #ids
  while least < most do
    local middle = math.ceil((least + most) / 2)
    if call("LPOS", NORMAL, ids[middle]) then least = middle else most = middle - 1 end
  end
  return least
end

-- The first `count` records of the intake are stored. Those that were never claimed and that no list has get
-- in line.
local function finish_page(q, intake, count)
  local ids, jobs, waiting = {}, {}, {}
  for i = 1, count do ids[i] = id_from_inbox(intake, intake.taken - count, i, intake.last_shard) end
  for i, raw in ipairs(fetch(ids)) do
    local job = decode(rewritten[ids[i]] or raw)
    if job and job.state == STATE.live and job.fence == 0 then jobs[ids[i]] = job end
  end
  if next(jobs) then remove_leased(jobs) end
  for _, id in ipairs(ids) do
    if jobs[id] then waiting[#waiting + 1] = id end
  end
  for i = count_listed(waiting) + 1, #waiting do buffer_push(NORMAL, waiting[i]) end
  depart(function() call("LTRIM", INTAKE, count, -1) end)
  q.foreign = true
end
