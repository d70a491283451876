-- record: a job as stored: one header line that only scripts write, then the body that nobody
-- rewrites, then the tail (result, progress, errors) that each settle replaces.
-- state: w live (waiting, delayed or active: where its id is tells), p parked, c completed,
-- k cancelled, x dead. fence: the last delivery that was closed; an open lease has fence + 1.
local HEADER = "^(%a) (%d+) (%d+) (%d+) (%a) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+)\n()"
local function decode(raw)
  if not raw then return nil end
  local state, fence, attempts, crashes, band, length, redrives, key, dedup, flags, why, at =
    string.match(raw, HEADER)
  if not at then return nil end
  local from = at + tonumber(length)
  return {
    state = state, fence = tonumber(fence), attempts = tonumber(attempts),
    crashes = tonumber(crashes), band = band, redrives = tonumber(redrives), key = key,
    dedup = dedup, flags = flags, why = why,
    body = string.sub(raw, at, from - 1), tail = string.sub(raw, from),
  }
end

local function encode(job)
  return string.format("%s %d %d %d %s %d %d %s %s %s %s\n", job.state, job.fence, job.attempts,
    job.crashes, job.band, #job.body, job.redrives, job.key, job.dedup, job.flags, job.why)
    .. job.body .. job.tail
end

local function fresh(band, key, dedup, flags, body)
  return encode({
    state = "w", fence = 0, attempts = 0, crashes = 0, band = band, redrives = 0, key = key,
    dedup = dedup, flags = flags, why = "-", body = body, tail = "",
  })
end
