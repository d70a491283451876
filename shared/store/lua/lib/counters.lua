-- counters: what drains have counted of a queue since it exists, as "name:count …" (store/counters.py).
-- They only grow. The names are a fixed set, so the text is bounded.
--- @include "numbers"
--- @include "writes"

local function add_counters(stored, added)
  local counts, names = {}, {}
  for _, text in ipairs({ stored or "", added }) do
    for name, count in string.gmatch(text, "([%l_]+%d*):(%d+)") do
      if not counts[name] then names[#names + 1] = name end
      counts[name] = (counts[name] or 0) + tonumber(count)
    end
  end
  for i, name in ipairs(names) do names[i] = name .. ":" .. whole(counts[name]) end
  set_field(":counters", table.concat(names, " "))
end
