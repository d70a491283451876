-- inbox: raw records that foreign producers pushed become jobs, bytes untouched. Whether they make
-- sense shows when they are executed: a bad one ends dead with its bytes. Their ids start with "~",
-- which callers may not use. The queue takes what it has room for, in order, and leaves the rest in the list.
--- @include "bounds"
--- @include "codes"
--- @include "fields"
--- @include "inbox_page"
--- @include "intake"
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "staged"
--- @include "writes"
local INBOX_PAGE, FIRST = 100, 10 -- records that a turn takes; that it reads before it knows how large they are
local BEGINNING = 200 -- bytes that are kept of a record which is larger than the queue may be

-- The first records of the intake, as many as the bytes of a turn hold.
local function read_page(claim_max_bytes)
  local raws, bytes, count = {}, 0, FIRST
  while count > 0 do
    local some = call("LRANGE", INTAKE, #raws, #raws + count - 1)
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
local function take_records(q, request, ids, raws)
  local bytes = 0
  for i, raw in ipairs(raws) do
    local id, job = ids[i], job_of(q, request, raw)
    bytes, q.inbox_held = bytes + #raw, #id + #job
    if not has_room(id, q.inbox_held, request.queue_max_jobs, request.queue_max_bytes) then return i - 1 end
    q.inbox_held = 0
    if i > 1 and bytes > request.claim_max_bytes then return i - 1 end
    save_record(id, job)
    buffer_push(NORMAL, id)
  end
  q.inbox_held = 0
  return #raws
end

-- Whether a record waits that no shard of the queue has room for.
local function inbox_is_held(q, request)
  if q.inbox_held == 0 then return false end
  return not has_room(string.format("~%d", emptiest_shard()), q.inbox_held, request.queue_max_jobs, request.queue_max_bytes)
end

-- Returns how many records it takes.
local function take_page(q, request, intake)
  local raws, last = read_page(request.claim_max_bytes), math.min(INBOX_PAGE, intake.left)
  local taken = take_records(q, request, ids_of_page(intake, 1, last), raws)
  delete_fields(ids_of_page(intake, taken + 1, last), call_chunked) -- what a turn that stopped may have left
  if taken > 0 then
    depart(function() call("LTRIM", INTAKE, taken, -1) end)
    q.agenda_at = NEVER -- the producer did not update the agenda
  end
  intake.taken, intake.left, intake.last_shard = intake.taken + taken, intake.left - taken, intake.shard
  intake.shard = emptiest_shard()
  q.intake = intake_text(intake)
  return taken
end

local function accept_inbox(q, request)
  q.foreign, q.inbox_read = false, true
  if call("EXISTS", INBOX, INTAKE) == 0 then return end
  local intake, size = read_intake(q.intake), call("LLEN", INTAKE)
  intake.left, q.inbox = math.min(intake.left, size), true
  if size > intake.left then return finish_page(q, intake, size - intake.left) end
  if inbox_is_held(q, request) or size == 0 and not pcall(take_over, q, intake) then return end
  local taken = take_page(q, request, intake)
  local more = intake.left > 0 or size > 0 -- there are, or may be in the inbox
  q.foreign = more and (taken > 0 or not inbox_is_held(q, request))
end
