-- codes: every one-letter code that records, guards, settles and replies use, under its name.

-- A job's state in its record. `live` covers waiting, delayed and active: the structure that holds
-- the id decides which. Those of the second line appear only in guards and in enqueue's reply.
local STATE = { live = "w", parked = "p", completed = "c", cancelled = "k", dead = "x",
  delayed = "d", active = "a", gone = "g" }

local PRIORITY = { high = "h", normal = "n", low = "l" }

-- How a settle closes a lease. `keep` prolongs it, because the job is still running; so does `decide`,
-- because the job has follow-ups to store before it ends.
local KIND = { done = "d", retry = "r", dead = "x", release = "l", snooze = "s", park = "p",
  cancelled = "c", keep = "k", decide = "e" }

-- What a turn tells of a job (lib/events.lua).
local EVENT = { completed = "c", failed = "f", stalled = "s", progress = "p" }

-- What enqueue and restore answer for a job that they did not store (for a new job they answer the state).
local ANSWER = { duplicate = "D", same_request = "I", mismatch = "M", full = "F", names = "G", limited = "L", taken = "N" }

-- What settle, redrive and delete answer for each item, and flags in the queue's fields.
local YES, NO = "1", "0"

-- How a turn claims quarantined jobs: one, because its function runs nothing else, or several, each for
-- a child process of its own.
local SUSPECTS_BY = { exclusive = YES, isolated = "2" }

-- In front of what is kept of a foreign record that was too large; jobs/body.py has the same.
local CUT_RECORD = "~cut"

-- How much of a job's history its next settle stores (lib/bounds.lua).
local HISTORY_LEVEL = { full = "f", short = "s", minimal = "m" }

-- An empty name in a record's header, a guard or a replay entry.
local NONE = "-"
-- Flags of a record: its body was written by a foreign producer; it has follow-ups of its death; how
-- it ends is decided (its history has the end).
local FOREIGN, ON_DEAD, DECIDED = "f", "o", "d"

-- What reconcile answers for each id.
local REPAIR = { sound = NONE, requeued = "q", restored = "s", removed = "r" }
