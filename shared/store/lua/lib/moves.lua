-- moves: where jobs go, gathered while a script decides and carried out with one command a structure.
--- @include "keys"
--- @include "numbers"
--- @include "record"
local writes = {}  -- fields and values of the records hash: job records and the queue's own scalars
local renewed = {} -- id -> raw record written by this script but not yet stored
local gone = {}    -- ids whose records this script dropped
local pushes, fronts, zadds, forgotten = {}, {}, {}, {}

local function note(field, value)
  writes[#writes + 1] = field
  writes[#writes + 1] = value
end

local function save(id, job)
  local raw = encode(job)
  renewed[id] = raw
  note(id, raw)
end

local function list_of(lists, key)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  return list
end

local function push(key, id)
  local ids = list_of(pushes, key)
  ids[#ids + 1] = id
end

local function push_front(key, id)
  table.insert(list_of(fronts, key), 1, id) -- LPUSH turns the order round: the first named ends first in line
end

-- Most of a turn's instants are the same few, and turning one into text takes longer than placing it.
-- A number, always: GopherLua, which Upstash runs, takes no text where a number is to be written.
local texts = {}
local function text_of(instant)
  local text = texts[instant]
  if not text then
    text = whole(instant)
    texts[instant] = text
  end
  return text
end

local function place(key, score, member)
  local members = list_of(zadds, key)
  members[#members + 1] = text_of(score)
  members[#members + 1] = member
end

-- The job has ended: a deduplication that holds until then ends with it.
local function finish(job)
  if job.dedup ~= "-" then
    forgotten[#forgotten + 1] = job.dedup
    job.dedup = "-"
  end
end

-- Everything but the records (they are written last, once).
local function carry_out()
  for key, ids in pairs(pushes) do variadic("RPUSH", key, ids) end
  for key, ids in pairs(fronts) do variadic("LPUSH", key, ids) end
  for key, members in pairs(zadds) do variadic("ZADD", key, members) end
  if #forgotten > 0 then variadic("HDEL", DEDUP, forgotten) end
  pushes, fronts, zadds, forgotten = {}, {}, {}, {}
end

-- Drops records; also those that this script has only just noted.
local function forget(ids)
  if #ids == 0 then return end
  variadic("HDEL", RECORDS, ids)
  for _, id in ipairs(ids) do gone[id] = true end
end

local function store_records()
  local pairs_kept = {}
  for i = 1, #writes, 2 do
    if not gone[writes[i]] then
      pairs_kept[#pairs_kept + 1] = writes[i]
      pairs_kept[#pairs_kept + 1] = writes[i + 1]
    end
  end
  if #pairs_kept > 0 then variadic("HSET", RECORDS, pairs_kept) end
end
