-- ask: the arguments of a turn, by name (turn.lua lists them by number).
local LEASE = "^((%S+) (%d+) (%S+) (%d+) %d) (%l) (%d+)$"

-- Nothing where a settle names no lease.
local function read_ask()
  local n = tonumber
  local ask = {
    queue = ARGV[1], owner = ARGV[2], seq = n(ARGV[3]), want = n(ARGV[4]), lease_ms = n(ARGV[5]),
    alone = ARGV[6] == "1", concurrency = n(ARGV[7]), rate = n(ARGV[8]), per = n(ARGV[9]), burst = n(ARGV[10]),
    keep = { count = n(ARGV[11]), age_ms = n(ARGV[12]) }, max_bytes = n(ARGV[13]), look = ARGV[14] == "1",
    types = {}, settles = {}, fields = {},
  }
  local at = 17
  for i = 1, n(ARGV[15]) do
    ask.types[i] = { field = ":took:" .. ARGV[at], wanted = ARGV[at + 1] == "1", observed = ARGV[at + 2] }
    ask.fields[#ask.fields + 1] = ask.types[i].field
    at = at + 3
  end
  for i = 1, n(ARGV[16]) do
    local lease, id, fence, owner, seq, kind, delay = string.match(ARGV[at], LEASE)
    if not id then return nil end
    ask.settles[i] = { id = id, fence = n(fence), owner = owner, seq = n(seq), lease = lease,
      kind = kind, delay = n(delay), tail = ARGV[at + 1] }
    ask.fields[#ask.fields + 1] = id
    at = at + 2
  end
  return ask
end
