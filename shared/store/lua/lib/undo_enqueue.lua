-- undo_enqueue: takes back the writes of an enqueue that failed.
--- @include "fields"
--- @include "guards"
--- @include "keys"
--- @include "undo"
--- @include "usage"
--- @include "writes"

-- `lengths`: list -> how many ids were pushed. `replaced`: id, record, … as stored, of jobs that had no place.
local function undo_enqueue(new_ids, lengths, replaced)
  undo_guards()
  for list, length in pairs(lengths) do
    if was_pushed(list) then try("RPOP", list, length) end
  end
  try_chunked("ZREM", DELAYED, new_ids)
  try_chunked("ZREM", DELAYED, members_of(replaced))
  delete_fields(new_ids, try_chunked)
  set_fields(replaced, try_chunked)
  set_fields(stored_usage(), try_chunked)
end
