-- room: the oldest completed jobs, then cancelled ones, give way to new ones. They are stored for
-- readers only, so a queue is full only of jobs that still have to run and of ended jobs that a person
-- has to see.
--- @include "keys"
--- @include "numbers"
--- @include "undo"
--- @include "usage"
--- @include "writes"
local ROOM_PAGE, MAX_PAGES = 50, 10
local given_way = 0

-- Records go before their places: if the script stops between, the room is there and counted.
local function delete_oldest(n)
  local key, ids = COMPLETED, call("ZRANGE", COMPLETED, 0, n - 1)
  if #ids == 0 then
    key, ids = CANCELLED, call("ZRANGE", CANCELLED, 0, n - 1)
  end
  if #ids == 0 then return 0, 0 end
  local raws = fetch(ids)
  call_chunked("HDEL", RECORDS, ids)
  for i, id in ipairs(ids) do
    if raws[i] then release_usage(1, #id + #raws[i]) end
  end
  write_or(function() call_chunked("ZREM", key, ids) end, function()
    try_chunked("HSET", RECORDS, stored_usage())
  end)
  return #ids, key == COMPLETED and #ids or 0
end

-- Whether there is room for one more job of so many bytes, if need be after deletions. `completed`:
-- the stored count of completed jobs.
local function make_room(bytes, max_jobs, max_bytes, completed)
  for _ = 1, MAX_PAGES do
    if has_room(bytes, max_jobs, max_bytes) then return true end
    local n, of_completed = delete_oldest(ROOM_PAGE)
    if n == 0 then return false end
    given_way = given_way + of_completed
    set_field(":completed", whole(math.max(0, tonumber(completed or 0) - given_way)))
  end
  return has_room(bytes, max_jobs, max_bytes)
end
