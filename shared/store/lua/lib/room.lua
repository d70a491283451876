-- room: the oldest completed jobs, then cancelled ones, are deleted for new ones. They are stored for
-- readers only, so a queue is full only of jobs that still have to run and of ended jobs that a person
-- has to see.
--- @include "bounds"
--- @include "buffers"
--- @include "fields"
--- @include "keys"
--- @include "numbers"
--- @include "shards"
--- @include "usage"
local kept = { count = 0, bytes = 0 } -- completed jobs, as stored and without those deleted here
local oldest_skipped = {} -- shard -> { key -> how many of its oldest ids are in other shards }

local function load_kept(count, bytes)
  kept.count, kept.bytes = tonumber(count or 0), tonumber(bytes or 0)
end

-- Records become empty with the counts, then they go, then their places: so whatever is left after a
-- stop is counted right, or too high, and the next trim finds it.
local function delete_ids(key, ids, raws)
  local words = {}
  for i, raw in ipairs(raws) do
    if raw and raw ~= "" then
      local size = #ids[i] + #raw
      release_usage(ids[i], size)
      if key == COMPLETED then load_kept(math.max(0, kept.count - 1), math.max(0, kept.bytes - size)) end
      words[#words + 1], words[#words + 2] = ids[i], ""
    end
  end
  for _, word in ipairs(stored_usage()) do words[#words + 1] = word end
  for _, word in ipairs({ ":completed", whole(kept.count), ":completed_bytes", whole(kept.bytes) }) do
    words[#words + 1] = word
  end
  set_fields(words, call_chunked, true)
  delete_fields(ids, call_chunked)
  call_chunked("ZREM", key, ids)
end

-- Deletes the `n` oldest jobs, or of these only those of one `shard`. Returns whether there are any left.
local function delete_oldest(n, shard)
  local at = buffer_of(oldest_skipped, shard or 0)
  for _, key in ipairs({ COMPLETED, CANCELLED }) do
    local first = at[key] or 0
    local page = call("ZRANGE", key, whole(first), whole(first + n - 1))
    if #page > 0 then
      local read, ids, raws = fetch(page), {}, {}
      for i, id in ipairs(page) do
        if not shard or shard_of(id) == shard then
          ids[#ids + 1] = id
          raws[#ids] = read[i]
        end
      end
      at[key] = first + #page - #ids
      if #ids > 0 then delete_ids(key, ids, raws) end
      return true
    end
  end
  return false
end

-- Whether there is room for one more job of these bytes, if need be after deletions: at most 500.
local function make_room(id, bytes, max_jobs, max_bytes, most_of_share)
  for _ = 1, 10 do
    if has_room(id, bytes, max_jobs, max_bytes, most_of_share) then return true end
    local shard = queue_has_room(bytes, max_jobs, max_bytes) and shard_of(id) or nil
    if not delete_oldest(50, shard) then return false end
  end
  return has_room(id, bytes, max_jobs, max_bytes, most_of_share)
end
