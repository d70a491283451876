"""Bugs that somebody could have written: each a small change of one script, said in a sentence."""

# ruff: noqa: E501 - a table: one bug a line
from __future__ import annotations

from dataclasses import dataclass

SETTLE, RECOVER, CLAIM = "lib/settle.lua", "lib/recover.lua", "lib/claim.lua"
MEMO, BUCKET, MOVES = "lib/memo.lua", "lib/bucket.lua", "lib/moves.lua"
RECORD = "lib/record.lua"
TURN, ENQUEUE, CANCEL = "turn.lua", "enqueue.lua", "cancel.lua"


@dataclass(frozen=True, slots=True)
class Bug:
    """In `file`, `old` becomes `new`."""

    name: str
    file: str
    old: str
    new: str


BUGS = (
    Bug("fences are compared with <=", SETTLE, "job.fence == item.fence - 1", "job.fence <= item.fence"),
    Bug("a settled lease stays open", SETTLE, 'variadic("ZREM", ACTIVE, q.closed)', "do end"),
    Bug("nobody asks whether the lease is open", SETTLE, " and open[i] then", " then"),
    Bug("turns that a failover lost are trusted", SETTLE, " and item.seq >= last.since then", " then"),
    Bug("leases are trusted beyond their end", SETTLE, " and q.now < last.sure", ""),
    Bug("a retry spends no attempt", SETTLE, "d = true, r = true,", "d = true,"),
    Bug("a release spends an attempt", SETTLE, "x = true, c = true }", "x = true, c = true, l = true }"),
    Bug("a released suspect is none any more", SETTLE, 'string.sub(lease, -1) == "1"', 'lease == "1"'),
    Bug("a released job goes to the end of the line", SETTLE, "line_up(q, job, id, push_front)", "line_up(q, job, id, push)"),
    Bug("a retry does not wait", SETTLE, "elseif delay > 0 then", "elseif delay < 0 then"),
    Bug("a retry is not announced", SETTLE, "    q.due = math.min(q.due, q.now + delay)\n", ""),
    Bug("a request to cancel outlives its job", SETTLE, "  q.cancel[id] = nil\n", ""),
    Bug("a cancelled job is tried again", SETTLE, "if q.cancel[id] and (", "if false and ("),
    Bug("a completed job keeps its name reserved", SETTLE, '    job.state = "c"\n    finish(job)\n', '    job.state = "c"\n'),
    Bug("a kept lease is not prolonged", SETTLE, "    place(ACTIVE, q.now + q.lease_ms, lease)\n", ""),
    Bug("settled jobs count as running", SETTLE, "q.leased = math.max(0, q.leased - #q.closed)", "do end"),
    Bug("a parked job is never looked at again", SETTLE, "    q.recheck = math.min(q.recheck, q.now + delay)\n", ""),
    Bug("completed jobs are not counted", SETTLE, "    q.kept = q.kept + 1\n", ""),
    Bug("every job comes back as normal", SETTLE, "add(BAND[job.band], id)", "add(NORMAL, id)"),
    Bug("the tail is lost", SETTLE, "  job.tail = tail\n", ""),
    Bug("the fence does not rise with a settle", SETTLE, 'job.fence, job.why = job.fence + 1, "-"', 'job.why = "-"'),
    Bug("a crash is counted against every suspect", RECOVER, "if solo then job.crashes", "if true then job.crashes"),
    Bug("a crash is counted against nobody", RECOVER, "if solo then job.crashes", "if false then job.crashes"),
    Bug("a poison job may crash once more", RECOVER, "local MOST_CRASHES = 3", "local MOST_CRASHES = 4"),
    Bug("an expired lease keeps its fence", RECOVER, "  job.fence = job.fence + 1\n", ""),
    Bug("an expired lease stays", RECOVER, '    variadic("ZREM", ACTIVE, expired)\n', ""),
    Bug("recovered jobs count as running", RECOVER, "    q.leased = math.max(0, q.leased - #expired)\n", ""),
    Bug("a due job stays delayed", RECOVER, 'if #due > 0 then variadic("ZREM", DELAYED, due) end', ""),
    Bug("a parked job wakes up parked", RECOVER, '    job.state = "w"\n', ""),
    Bug("suspects run in company", RECOVER, "      push(SUSPECTS, id)\n      q.suspects = q.suspects + 1\n", "      push(BAND[job.band], id)\n"),
    Bug("suspects are not counted", RECOVER, "      q.suspects = q.suspects + 1\n", ""),
    Bug("a cancelled job that crashed is run again", RECOVER, "if q.cancel[id] then", "if false then"),
    Bug("a poison job keeps its name reserved", RECOVER, '"crashed"\n      finish(job)\n', '"crashed"\n'),
    Bug("the lease has the fence that was closed", CLAIM, "id, fence + 1, by", "id, fence, by"),
    Bug("last in, first out", CLAIM, 'call("LPOP", NORMAL, want)', 'call("RPOP", NORMAL, want)'),
    Bug("the end of a lease is not noted", CLAIM, "    q.expiry = math.min(q.expiry, till)\n", ""),
    Bug("claimed jobs do not count as running", CLAIM, "    q.leased = q.leased + claimed\n", ""),
    Bug("the low band starves", CLAIM, "if turns % 8 == 7 then", "if turns % 8 == 8 then"),
    Bug("what does not fit a reply is forgotten", CLAIM, "      push_front(BAND[band], id)\n", ""),
    Bug("a turn stumbles over a record that is gone", RECORD, 'string.match(raw or "", WAITING)', "string.match(raw, WAITING)"),
    Bug("no token is taken", TURN, "q.bucket.level = q.bucket.level - claimed * q.bucket.per", "do end"),
    Bug("one token a turn", TURN, "- claimed * q.bucket.per", "- q.bucket.per"),
    Bug("one more than the concurrency", TURN, 'why, starts = "full", math.max(0, concurrency - q.leased)', 'why, starts = "full", math.max(0, concurrency - q.leased + 1)'),
    Bug("a paused queue goes on", TURN, "if q.paused then\n  why", "if false then\n  why"),
    Bug("a repeated turn claims again", TURN, "elseif last and q.seq == last.seq then", "elseif false then"),
    Bug("an overtaken turn is carried out", TURN, "if last and q.seq < last.seq then", "if false then"),
    Bug("running jobs are not on the agenda", TURN, "if q.leased == 0 then next_timer", "if true then next_timer"),
    Bug("the last turn forgets those that wait", TURN, "elseif want == 0 then\n  if anything_waits() then", "elseif want == 0 then\n  if false then"),
    Bug("the agenda is raised and never lowered", TURN, "elseif next_timer < q.told - SECOND or", "elseif"),
    Bug("what was given back beside a claim calls nobody", TURN, ' or (why ~= "empty" and q.told > q.now) then', " then"),
    Bug("recovery before settling", TURN, "local verdicts = settle(q, settles, raws, last)\n", "recover_and_promote(q)\nlocal verdicts = settle(q, settles, raws, last)\n"),
    Bug("suspects are given to busy functions", TURN, 'q.suspects > 0 and ARGV[6] == "1"', "q.suspects > 0"),
    Bug("nothing is remembered", TURN, "remember(q, last, others, verdicts)", "q.memo = others"),
    Bug("all lost, nobody comes back", TURN, "if more or (claimed == 0 and #ids >= starts) then", "if more then"),
    Bug("the bucket overflows", BUCKET, "math.min(full, bucket.level + elapsed * rate)", "bucket.level + elapsed * rate"),
    Bug("time passes twice for the bucket", BUCKET, "bucket.at, bucket.per = now, per", "bucket.per = per"),
    Bug("the bucket begins empty", BUCKET, "    bucket.level = full\n", "    bucket.level = 0\n"),
    Bug("the clock may step back", "lib/clock.lua", "if mark > now and", "if false and"),
    Bug("dead owners are remembered for ever", MEMO, "elseif name and tonumber(expiry) > q.now then", "elseif name then"),
    Bug("a repeat is answered with all that the owner holds", MEMO, "if tag == suffix then", "if tag then"),
    Bug("a repeated refusal becomes a success", MEMO, 'string.find(verdicts, "0", 1, true) and verdicts or "-"', '"-"'),
    Bug("an owner's memory outlives lost turns", MEMO, "if last and last.seq == q.seq - 1 then", "if last then"),
    Bug("an ended name stays reserved", MOVES, 'if #forgotten > 0 then variadic("HDEL", DEDUP, forgotten) end', ""),
    Bug("what is given back changes its order", MOVES, "table.insert(list_of(fronts, key), 1, id)", "table.insert(list_of(fronts, key), id)"),
    Bug("a repeated enqueue overwrites its job", ENQUEUE, '"HSETNX"', '"HSET"'),
    Bug("an enqueue calls nobody", ENQUEUE, '  call("RPUSH", NORMAL, item.id)\n  call_to_work(queue)\n', '  call("RPUSH", NORMAL, item.id)\n'),
    Bug("a deduplication is not kept", ENQUEUE, "  hold(item.dedup, item.dedup_ttl,", '  hold("-", item.dedup_ttl,'),
    Bug("another body passes under the same key", ENQUEUE, 'if same.fingerprint ~= item.fingerprint then return "M" end', ""),
    Bug("a name is reserved for ever", ENQUEUE, "if tonumber(expires) > 0 and tonumber(expires) <= now then return nil end", ""),
    Bug("a delayed job is on no agenda", ENQUEUE, 'call("ZADD", AGENDA, "LT", whole(due), queue)', "do end"),
    Bug("a delayed job is not noted as due", ENQUEUE, 'note(":due", whole(due))', "do end"),
    Bug("a high job is not announced", ENQUEUE, 'if mixed then note(":mixed", "1") end', ""),
    Bug("a delayed job waits as well", ENQUEUE, "    place(DELAYED, at, item.id)\n", "    place(DELAYED, at, item.id)\n    push(BAND[item.band], item.id)\n"),
    Bug("a twin in the same request is stored twice", ENQUEUE, "or seen[item.id]", ""),
    Bug("a cancelled job stays in line", CANCEL, 'call("LREM", BAND[job.band], 1, id) > 0', "true"),
    Bug("a second request to cancel forgets the first", CANCEL, '(values[2] or "") .. " " .. id)', "id)"),
    Bug("a cancelled suspect is still counted", CANCEL, '    note(":suspects", whole(math.max(0, tonumber(values[3] or 0) - 1)))\n', ""),
    Bug("a cancelled job keeps its name reserved", CANCEL, "finish(job)\n", ""),
    Bug("a redriven job keeps its crashes", "redrive.lua", "job.state, job.attempts, job.crashes, job.why", "job.state, job.attempts, job.was, job.why"),
    Bug("a redriven job stays dead too", "redrive.lua", 'if #dead > 0 then variadic("ZREM", DEAD, dead) end', ""),
    Bug("a redrive calls nobody", "redrive.lua", "call_to_work(ARGV[1])", "do end"),
    Bug("a purge leaves the records", "purge.lua", "forget(ids)\n", ""),
    Bug("a purge leaves the count of suspects", "purge.lua", 'note(":suspects", whole(call("LLEN", SUSPECTS)))\n', ""),
    Bug("a purge keeps names reserved", "purge.lua", "if job then finish(job) end", ""),
    Bug("a drop deletes live jobs", "drop.lua", "local home = job and HOME[job.state]", "local home = job and (HOME[job.state] or DEAD)"),
    Bug("a drop miscounts what is kept", "drop.lua", "if completed > 0 then", "if false then"),
    Bug("resuming calls nobody", "pause.lua", 'if ARGV[2] == "0" then', "if false then"),
    Bug("retention leaves the records", "lib/retention.lua", "    q.kept = q.kept - #ids\n    forget(ids)\n", "    q.kept = q.kept - #ids\n"),
    Bug("retention deletes the newest", "lib/retention.lua", '"ZPOPMIN"', '"ZPOPMAX"'),
    Bug("foreign jobs wait for the next sweep", "lib/inbox.lua", "if #raws > 0 then q.told = NEVER end", ""),
)  # fmt: skip
