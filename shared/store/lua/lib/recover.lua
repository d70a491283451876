-- recover: leases that expired without a settle. The function that held them died, so every job of
-- it comes back as a suspect, to be handed out alone; only a suspect that ran alone is blamed.
-- promote: delayed jobs that are due, and parked ones whose time to be looked at again has come.
-- Both are bounded: a turn moves at most PAGE of each, the rest waits for the next turn.
--- @include "keys"
--- @include "numbers"
--- @include "record"
--- @include "moves"
local PAGE = 100
local MOST_CRASHES = 3

-- Members of a sorted set up to `now`, and the first instant after them.
local function due_in(key, now)
  local page = call("ZRANGE", key, 0, PAGE - 1, "WITHSCORES")
  local due = {}
  for i = 1, #page, 2 do
    if tonumber(page[i + 1]) > now then return due, tonumber(page[i + 1]) end
    due[#due + 1] = page[i]
  end
  if #page < PAGE * 2 then return due, NEVER end
  return due, now
end

local function recover_one(q, id, job, solo)
  job.fence = job.fence + 1
  q.count("crashed", 1)
  if q.cancel[id] then
    q.cancel[id] = nil
    job.state = "k"
    finish(job)
    place(CANCELLED, q.now, id)
  else
    if solo then job.crashes = job.crashes + 1 end
    if job.crashes >= MOST_CRASHES then
      job.state, job.why = "x", "crashed"
      finish(job)
      place(DEAD, q.now, id)
      q.count("dead", 1)
    else
      job.why = "suspect"
      push(SUSPECTS, id)
      q.suspects = q.suspects + 1
    end
  end
  save(id, job)
end

local function wake_one(q, id, job)
  if job.state == "p" then
    job.state = "w"
    save(id, job)
  end
  push(BAND[job.band], id)
  if job.band ~= "n" then q.mixed = true end
end

local function recover_and_promote(q)
  local expired, due, parked = {}, {}, {}
  if q.expiry <= q.now then
    expired, q.expiry = due_in(ACTIVE, q.now)
  end
  if q.due <= q.now then
    due, q.due = due_in(DELAYED, q.now)
  end
  if q.recheck <= q.now then
    parked, q.recheck = due_in(PARKED, q.now)
  end
  if #expired + #due + #parked == 0 then return end

  local ids, fences, solo = {}, {}, {}
  for i, lease in ipairs(expired) do
    ids[i], fences[i], solo[i] = string.match(lease, "^(%S+) (%d+) %S+ %d+ (%d)$")
  end
  for _, id in ipairs(due) do ids[#ids + 1] = id end
  for _, id in ipairs(parked) do ids[#ids + 1] = id end
  local raws = fetch(ids)
  for i, id in ipairs(ids) do
    local job = decode(renewed[id] or raws[i])
    if not job then
      q.count("lost", 1) -- evicted or damaged: the pointer goes, the others must not wait behind it
    elseif i > #expired then
      wake_one(q, id, job)
    elseif job.state == "w" and job.fence == tonumber(fences[i]) - 1 then
      recover_one(q, id, job, solo[i] == "1")
    end
  end
  if #expired > 0 then
    variadic("ZREM", ACTIVE, expired)
    q.leased = math.max(0, q.leased - #expired)
  end
  if #due > 0 then variadic("ZREM", DELAYED, due) end
  if #parked > 0 then variadic("ZREM", PARKED, parked) end
end
