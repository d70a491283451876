-- intake: the list of records that turns make jobs of. A turn renames the inbox to it, so producers push to a
-- new list, and nothing but turns changes this one: its length tells where a turn stopped, and no record's
-- text means anything. The queue's field ":intake" says how many records at its end are not stored yet; it
-- is written in one command with the last records that are. Those in front of them are trimmed once they
-- are in line, so what a longer list has too many is the page that a turn left.
--- @include "numbers"

-- `taken`: records ever stored, `left`: those at the end of the list that are not; `instant` and `shard`: of
-- the ids of the next ones; `last_shard`: of the page before. A new try of a page so gives the same ids.
local function read_intake(text)
  local taken, left, instant, shard, last = string.match(text or "0 0 0 0 0", "^(%d+) (%d+) (%d+) (%d+) (%d+)$")
  return { taken = tonumber(taken), left = tonumber(left), instant = tonumber(instant), shard = tonumber(shard),
    last_shard = tonumber(last) }
end

local function intake_text(intake)
  return string.format("%s %s %s %d %d", whole(intake.taken), whole(intake.left), whole(intake.instant),
    intake.shard, intake.last_shard)
end

-- The id of the i-th record of a page that begins behind `taken` others. As ours it names its shard.
local function id_from_inbox(intake, taken, i, shard)
  return string.format("~%s-0-%s-%d~%d", whole(intake.instant), whole(taken), i, shard)
end

-- The ids from the `first` to the `last` record of the next page.
local function ids_of_page(intake, first, last)
  local ids = {}
  for i = first, last do ids[#ids + 1] = id_from_inbox(intake, intake.taken, i, intake.shard) end
  return ids
end

-- Whether the record that this id is for still stands in the list, of `size` records.
local function is_in_intake(intake, size, id)
  local instant, before, i = string.match(id, "^~(%d+)%-0%-(%d+)%-(%d+)~%d+$")
  if instant ~= whole(intake.instant) then return false end
  return tonumber(before) + tonumber(i) > intake.taken + intake.left - size
end
