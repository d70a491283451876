-- single: the most frequent enqueue, one new job of normal priority without guard and time. It needs
-- few parts, so that the script loads no others for it.
--- @include "agenda"
--- @include "bounds"
--- @include "codes"
--- @include "fields"
--- @include "keys"
--- @include "record"
--- @include "undo"
--- @include "usage"

-- Returns the code to answer; nil where there is no room, so that the general case may make some.
-- `nudged`: the text of that field, if it changes.
local function enqueue_single(queue, item, max_jobs, max_bytes, most_of_share, nudged)
  local raw = new_record(item.priority, item.key, NONE, item.flags, item.since, item.body)
  if not has_room(item.id, #item.id + #raw, max_jobs, max_bytes, most_of_share) then return nil end
  add_usage(item.id, 1, #item.id + #raw)
  local fields = changed_usage()
  fields[#fields + 1], fields[#fields + 2] = item.id, raw
  fields[#fields + 1], fields[#fields + 2] = ":waits", YES
  if nudged then fields[#fields + 1], fields[#fields + 2] = ":nudged", nudged end
  write_or(function()
    mark_due(queue)
    set_fields(fields, call_chunked)
    call("RPUSH", NORMAL, item.id)
  end, function()
    delete_fields({ item.id }, try_chunked)
    set_fields(stored_usage(), try_chunked)
  end)
  return STATE.live
end
