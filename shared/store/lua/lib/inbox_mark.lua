-- inbox_mark: "~page count instant shard" in front of the inbox, from before its first records are taken until
-- they are trimmed together with it. So the next turn sees whether a turn that stopped had stored them:
-- then the queue's count of records that were ever taken is higher than the mark's. Else it takes them again,
-- under the same ids.
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

-- nil where this is no mark, or there is nothing.
local function read_mark(raw)
  local count, instant, shard = string.match(raw or "", "^~page (%d+) (%d+) (%d+)$")
  return count and { count = tonumber(count), instant = tonumber(instant), shard = tonumber(shard) }
end

-- Returns whether it stands there: a list that is full takes none.
local function write_mark(mark)
  local text = string.format("~page %s %s %d", whole(mark.count), whole(mark.instant), mark.shard)
  return (pcall(call, "LPUSH", INBOX, text))
end

-- The id of the i-th record behind a mark.
local function id_from_inbox(mark, i)
  local ending = #SHARDS > 1 and string.format("~%d", mark.shard) or ""
  return string.format("~%s-0-%s-%d%s", whole(mark.instant), whole(mark.count), i, ending)
end

-- The records behind this mark are stored. Those that no list has (none has, unless all have) get in line.
local function finish_page(q, mark)
  local ids, jobs, last = {}, {}, {}
  for i = 1, q.inbox_taken - mark.count do ids[i] = id_from_inbox(mark, i) end
  for i, raw in ipairs(fetch(ids)) do
    local job = decode(rewritten[ids[i]] or raw)
    if job and job.state == STATE.live and job.fence == 0 then jobs[ids[i]] = job end
  end
  last[ids[#ids]] = jobs[ids[#ids]]
  keep_unplaced(last)
  if next(last) then
    remove_leased(jobs)
    for _, id in ipairs(ids) do
      if jobs[id] then buffer_push(NORMAL, id) end
    end
  end
  depart(function() call("LTRIM", INBOX, #ids + 1, -1) end)
  q.foreign = true
end
