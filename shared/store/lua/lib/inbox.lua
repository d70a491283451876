-- inbox: raw records that foreign producers pushed become jobs, bytes untouched. Whether they make
-- sense shows when they are executed: a bad one ends dead with its bytes. Their ids start with "~",
-- which callers may not use. The queue takes what it has room for and leaves the rest in the list.
--- @include "bounds"
--- @include "codes"
--- @include "inbox_mark"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "staged"
--- @include "writes"
local INBOX_PAGE, FIRST = 100, 10 -- records that a turn takes; that it reads before it knows how large they are
local BEGINNING = 200 -- bytes that are kept of a record which is larger than the queue may be

-- Some records, from this position on, as many as the bytes of a turn hold.
local function read_page(first, claim_max_bytes)
  local raws, bytes, count = {}, 0, FIRST
  while count > 0 do
    local some = call("LRANGE", INBOX, first + #raws, first + #raws + count - 1)
    for _, raw in ipairs(some) do
      bytes = bytes + #raw
      raws[#raws + 1] = raw
    end
    if #some < count then return raws end
    count = math.min(INBOX_PAGE - #raws, math.floor((claim_max_bytes - bytes) / math.max(1, bytes / #raws)))
  end
  return raws
end

-- A record that the queue could not hold if it were empty is cut, so that it does not stop those behind it.
local function job_of(q, request, raw)
  local most = request.queue_max_bytes * math.min(1, MOST_OF_SHARE / #SHARDS) - BEGINNING
  if #raw > most then raw = string.format("%s %d %s", CUT_RECORD, #raw, string.sub(raw, 1, BEGINNING)) end
  return new_record(PRIORITY.normal, NONE, NONE, FOREIGN, " " .. whole(q.now), raw)
end

-- Returns how many of the records it takes: those that there is room for, in the queue and in a turn.
local function take_records(q, request, mark, raws)
  local bytes = 0
  for i, raw in ipairs(raws) do
    local id, job = id_from_inbox(mark, i), job_of(q, request, raw)
    bytes, q.inbox_left = bytes + #raw, #id + #job
    if not has_room(id, q.inbox_left, request.queue_max_jobs, request.queue_max_bytes) then return i - 1 end
    q.inbox_left = 0
    if i > 1 and bytes > request.claim_max_bytes then return i - 1 end
    save_record(id, job)
    buffer_push(NORMAL, id)
  end
  q.inbox_left = 0
  return #raws
end

-- Whether a record waits that the queue has no room for.
local function inbox_is_held(q, request)
  local id = id_from_inbox(new_mark(q), 1)
  return q.inbox_left > 0 and not has_room(id, q.inbox_left, request.queue_max_jobs, request.queue_max_bytes)
end

local function accept_inbox(q, request)
  q.foreign, q.inbox_read = false, true
  if inbox_is_held(q, request) then return end
  local raws = read_page(0, request.claim_max_bytes)
  local mark = read_mark(q, raws[1])
  if mark and mark.is_stored then return finish_page(q, mark) end
  if mark then table.remove(raws, 1) end
  local is_marked = mark ~= nil
  mark = mark or new_mark(q)
  local taken = take_records(q, request, mark, raws)
  q.inbox = q.inbox or #raws > 0
  if taken == 0 then return end
  if not is_marked then is_marked = write_mark(mark) end
  q.inbox_taken, q.inbox_mark = mark.count + taken, is_marked and mark_text(mark) or ""
  depart(function() call("LTRIM", INBOX, is_marked and taken + 1 or taken, -1) end)
  q.foreign = taken < #raws or #raws >= FIRST - 1 -- there may be more
  q.agenda_at = NEVER -- the producer did not update the agenda
end
