-- flags: the marks in a record's header, one letter each, or NONE.
--- @include "codes"

local function has_flag(job, flag) return string.find(job.flags, flag, 1, true) ~= nil end

local function add_flag(job, flag)
  if has_flag(job, flag) then return end
  job.flags = job.flags == NONE and flag or job.flags .. flag
end

local function drop_flag(job, flag)
  local rest = string.gsub(job.flags, flag, "")
  job.flags = rest == "" and NONE or rest
end
