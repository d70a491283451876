-- room: the oldest completed jobs, then cancelled ones, give way to new ones. They are stored for
-- readers only, so a queue is full only of jobs that still have to run and of ended jobs that a person
-- has to see.
--- @include "bounds"
--- @include "buffers"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "shards"
--- @include "undo"
--- @include "usage"
--- @include "writes"
local ROOM_PAGE, MAX_PAGES = 50, 10
local given_way = 0
local passed = {} -- shard -> { completed, cancelled }: the oldest ones that are in other shards

-- Deletes jobs that have ended. Records go before their places: if the script stops between, the room
-- is there and counted.
local function delete_ids(key, ids, raws)
  delete_fields(ids, call_chunked)
  for i, id in ipairs(ids) do
    if raws[i] then release_usage(id, #id + #raws[i]) end
  end
  write_or(function() call_chunked("ZREM", key, ids) end, function()
    set_fields(stored_usage(), try_chunked)
  end)
  if key == COMPLETED then given_way = given_way + #ids end
end

-- Deletes the oldest jobs of a page, those of one `shard` if it is given. Returns whether there are any
-- ended jobs left to look at.
local function delete_oldest(shard)
  local at = shard and buffer_of(passed, shard) or {}
  for _, key in ipairs({ COMPLETED, CANCELLED }) do
    local first = at[key] or 0
    local page = call("ZRANGE", key, first, first + ROOM_PAGE - 1)
    if #page > 0 then
      local read, ids, raws = fetch(page), {}, {}
      for i, id in ipairs(page) do
        if not shard or shard_of(id) == shard then
          ids[#ids + 1] = id
          raws[#ids] = read[i]
        end
      end
      at[key] = first + #page - #ids
      delete_ids(key, ids, raws)
      return true
    end
  end
  return false
end

-- Whether there is room for one more job of so many bytes, if need be after deletions. `completed`:
-- the stored count of completed jobs.
local function make_room(id, bytes, max_jobs, max_bytes, completed)
  for _ = 1, MAX_PAGES do
    if has_room(id, bytes, max_jobs, max_bytes) then return true end
    local shard = queue_has_room(bytes, max_jobs, max_bytes) and shard_of(id) or nil
    if not delete_oldest(shard) then return false end
    set_field(":completed", whole(math.max(0, tonumber(completed or 0) - given_way)))
  end
  return has_room(id, bytes, max_jobs, max_bytes)
end
