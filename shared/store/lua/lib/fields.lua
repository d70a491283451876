-- fields: reads and writes of the hashes of records, one command for each that is touched.
--- @include "keys"
--- @include "shards"
local further = nil -- jobs, bytes, … of the shards but the first, as stored; nil until the first read

-- The first read of a script reads the number of shards too. A process with an older declaration
-- does not see all records: its client reads their number in the error, and repeats the request.
local function fetch_from(shard, fields)
  if further then return fetch_each("HMGET", SHARDS[shard], fields) end
  further = {}
  fields[#fields + 1] = ":shards"
  local values = fetch_each("HMGET", RECORDS, fields)
  fields[#fields] = nil
  for number in string.gmatch(table.remove(values) or "", "%S+") do
    further[#further + 1] = tonumber(number)
  end
  local count = 1 + #further / 2
  if count > #SHARDS then error(string.format("TIDEGATE SHARDS %d", count), 0) end
  return values
end

-- Reads what `values` lacks: each field in the hashes from the `first` to the `last` of its candidates.
local function fetch_missing(fields, values, first, last)
  local names, positions = {}, {}
  for shard = 1, #SHARDS do names[shard], positions[shard] = {}, {} end
  for at, field in ipairs(fields) do
    local shards = values[at] and {} or candidates(field)
    for i = first, math.min(last, #shards) do
      table.insert(names[shards[i]], field)
      table.insert(positions[shards[i]], at)
    end
  end
  for shard = 1, #SHARDS do
    for i, value in ipairs(fetch_from(shard, names[shard])) do
      if value then values[positions[shard][i]] = value end
      if value then homes[names[shard][i]] = shard end
    end
  end
end

-- One value per field (a job's id, or a field of the queue's own), in order; false where there is none.
local function fetch(fields)
  if #fields == 0 then return {} end
  if #SHARDS == 1 then return fetch_from(1, fields) end
  local values = {}
  for at = 1, #fields do values[at] = false end
  fetch_missing(fields, values, 1, 1)
  fetch_missing(fields, values, 2, #SHARDS)
  return values
end

-- Shard -> its part of `words`, in which each field is followed by `step` - 1 values.
local function part_by_shard(words, step)
  if #SHARDS == 1 then return { words } end
  local parts = {}
  for shard = 1, #SHARDS do parts[shard] = {} end
  for at = 1, #words, step do
    local part = parts[shard_of(words[at])]
    for i = at, at + step - 1 do part[#part + 1] = words[i] end
  end
  return parts
end

-- `words`: field, value, … `chunked`: call_chunked, or try_chunked for an undo. The queue's own hash
-- comes first, or last where its fields say that the records are written.
local function set_fields(words, chunked, own_last)
  local parts = part_by_shard(words, 2)
  if not own_last then chunked("HSET", RECORDS, parts[1]) end
  for shard = 2, #SHARDS do chunked("HSET", SHARDS[shard], parts[shard]) end
  if own_last then chunked("HSET", RECORDS, parts[1]) end
end

local function delete_fields(ids, chunked)
  for shard, part in ipairs(part_by_shard(ids, 1)) do chunked("HDEL", SHARDS[shard], part) end
end
