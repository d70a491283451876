-- record: a job as stored: one header line that only scripts write, then the body that nobody
-- rewrites, then the tail (result, progress, errors) that each settle replaces.
-- state: w live (waiting, delayed or active: where its id is tells), p parked, c completed,
-- k cancelled, x dead. fence: the last delivery that was closed; an open lease has fence + 1.
local HEADER = "^(%a) (%d+) (%d+) (%d+) ([hnl]) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+)\n()"
local function decode(raw)
  if not raw then return nil end
  local state, fence, attempts, crashes, band, length, redrives, key, dedup, flags, why, at =
    string.match(raw, HEADER)
  if not at then return nil end
  return {
    state = state, fence = tonumber(fence), attempts = tonumber(attempts), crashes = tonumber(crashes),
    band = band, redrives = tonumber(redrives), key = key, dedup = dedup, flags = flags, why = why,
    raw = raw, at = at, length = math.min(tonumber(length), #raw - at + 1), -- of the body
  }
end

-- Fence and band of a job that waits, for whoever needs no more: nothing where it does not wait, or is
-- damaged.
local WAITING = "^w (%d+) %d+ %d+ ([hnl]) %d+ %d+ %S+ %S+ %S+ %S+\n"
local function waiting(raw)
  local fence, band = string.match(raw or "", WAITING)
  return fence and tonumber(fence), band
end

-- `job.tail`, where it was set, takes the place of the tail that was.
local function encode(job)
  return string.format("%s %d %d %d %s %d %d %s %s %s %s\n", job.state, job.fence, job.attempts,
    job.crashes, job.band, job.length, job.redrives, job.key, job.dedup, job.flags, job.why)
    .. string.sub(job.raw, job.at, job.tail and job.at + job.length - 1) .. (job.tail or "")
end

local function fresh(band, key, dedup, flags, body)
  return string.format("w 0 0 0 %s %d 0 %s %s %s -\n", band, #body, key, dedup, flags) .. body
end
