-- inbox_mark: "~page count instant shard" in front of the inbox, from before its first records are taken until
-- they are trimmed together with it. So the next turn sees whether a turn that stopped had stored them: then
-- the queue's own field, which is written with them, says the same. If instead the queue has taken as many as
-- the mark counts, it takes them again, under the same ids. A record that only looks like a mark is neither.
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "staged"
--- @include "unplaced"
--- @include "usage"
--- @include "writes"

-- The mark of records that are taken now, for the shard that holds the fewest bytes.
local function new_mark(q)
  local emptiest = 1
  for shard = 2, #SHARDS do
    if usage[shard].bytes < usage[emptiest].bytes then emptiest = shard end
  end
  return { count = q.inbox_taken, instant = q.now, shard = emptiest - 1 }
end

local function mark_text(mark)
  return string.format("~page %s %s %d", whole(mark.count), whole(mark.instant), mark.shard)
end

-- nil where this is no mark, or there is nothing. `is_stored`: so are the records behind it.
local function read_mark(q, raw)
  local count, instant, shard = string.match(raw or "", "^~page (%d+) (%d+) (%d+)$")
  local is_stored = raw == q.inbox_mark
  if not count or not is_stored and tonumber(count) ~= q.inbox_taken then return nil end
  return { count = tonumber(count), instant = tonumber(instant), shard = tonumber(shard), is_stored = is_stored }
end

-- Returns whether it stands there: a list that is full takes none.
local function write_mark(mark) return (pcall(call, "LPUSH", INBOX, mark_text(mark))) end

-- The id of the i-th record behind a mark.
local function id_from_inbox(mark, i)
  local ending = #SHARDS > 1 and string.format("~%d", mark.shard) or ""
  return string.format("~%s-0-%s-%d%s", whole(mark.instant), whole(mark.count), i, ending)
end

-- The records behind this mark are stored. Those that no list has (none has, unless all have) get in line.
local function finish_page(q, mark)
  local ids, jobs, sample = {}, {}, {}
  for i = 1, q.inbox_taken - mark.count do ids[i] = id_from_inbox(mark, i) end
  for i, raw in ipairs(fetch(ids)) do
    local job = decode(rewritten[ids[i]] or raw)
    if job and job.state == STATE.live and job.fence == 0 then
      jobs[ids[i]], sample = job, { [ids[i]] = job }
    end
  end
  keep_unplaced(sample)
  if next(sample) then
    remove_leased(jobs)
    for _, id in ipairs(ids) do
      if jobs[id] then buffer_push(NORMAL, id) end
    end
  end
  depart(function() call("LTRIM", INBOX, #ids + 1, -1) end)
  q.foreign = true
end
