-- record: a job as stored. One header line that only the scripts write, then the body, which never
-- changes, then the history (result, progress, errors), which each settle replaces.
-- Header: state fence attempts crashes priority length redrives key dedup flags reason since
-- `fence` numbers the last delivery that was closed (an open lease carries fence + 1); `length` is
-- the body's in bytes; `dedup` is the name to release when the job ends; `since` (ms) is when it began
-- to wait or is due, absent where its id has it. `job.since` begins with a space, or is empty.
--- @include "codes"
--- @include "numbers"
local HEADER_OF_LIVE = "^" .. STATE.live .. " (%d+) %d+ %d+ ([hnl]) %d+ %d+ (%S+) %S+ (%S+) (%S+) ?%d*\n"
local HEADER_OF_NEW = STATE.live .. " 0 0 0 %s %d 0 %s %s %s " .. NONE .. "%s\n"

-- The job as a table; nil where the record is missing or damaged.
local function decode(raw)
  local header = "^(%a) (%d+) (%d+) (%d+) ([hnl]) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+)( ?%d*)\n()"
  if not raw then return nil end
  local state, fence, attempts, crashes, priority, length, redrives, key, dedup, flags, reason, since, at =
    string.match(raw, header)
  if not at then return nil end
  return {
    state = state, fence = number_of(fence), attempts = number_of(attempts),
    crashes = number_of(crashes), priority = priority, redrives = number_of(redrives), key = key,
    dedup = dedup, flags = flags, reason = reason, since = since, raw = raw, body_at = at,
    length = math.min(number_of(length), #raw - at + 1),
  }
end

-- Fence, key and reason of a live job, without building a table: the claim needs no more. Returns nil
-- where the job is not live or its record is damaged. The key is NONE where no handler will run, because the
-- end is decided or crashes have ended the job: only handlers count against the limits of a key.
local function read_waiting(raw)
  local fence, _, key, flags, reason = string.match(raw or "", HEADER_OF_LIVE)
  if not fence then return nil end
  local has_run = reason == "crashed" or string.find(flags, DECIDED, 1, true)
  return number_of(fence), has_run and NONE or key, reason
end

-- Whether the job's function died at its last run: "suspect", or "suspect:17" (lib/backlogs.lua).
local function is_suspect(reason) return string.sub(reason, 1, 7) == "suspect" end

-- The position of a job in its key's backlog, as its reason has it; nil where it never was in one.
local function position_of(reason)
  local digits = string.match(reason or "", ":(%d+)$")
  return digits and tonumber(digits)
end

-- The same reason of a job whose function turned out to live.
local function without_suspicion(reason)
  return reason == "suspect" and NONE or "key" .. string.sub(reason, 8)
end

-- True if crashes are counted against a live job.
local function has_crashed(raw) return not string.find(raw, "^%l %d+ %d+ 0 ") end

-- The record of a changed job. `job.history`, if set, replaces the stored history. Joined with `..`,
-- because string.format takes three times as long.
local function encode(job)
  return job.state .. " " .. whole(job.fence) .. " " .. whole(job.attempts) .. " "
    .. whole(job.crashes) .. " " .. job.priority .. " " .. whole(job.length) .. " "
    .. whole(job.redrives) .. " " .. job.key .. " " .. job.dedup .. " " .. job.flags .. " " .. job.reason
    .. job.since .. "\n"
    .. string.sub(job.raw, job.body_at, job.history and job.body_at + job.length - 1) .. (job.history or "")
end

local function new_record(priority, key, dedup, flags, since, body)
  return string.format(HEADER_OF_NEW, priority, #body, key, dedup, flags, since) .. body
end

-- The state of a stored job. A damaged record counts as dead: no function can run it.
local function state_of(raw)
  local job = decode(raw)
  return job and job.state or STATE.dead
end
