-- key_states: the states of the keys that a script decides about.
--- @include "fields"
--- @include "key_state"
local key_states = {} -- key -> state

-- Reads the states of these keys that are not yet known, in one command. `names`: a list of keys.
local function load_key_states(names)
  local missing, fields = {}, {}
  for _, key in ipairs(names) do
    if not key_states[key] then
      missing[#missing + 1], fields[#fields + 1] = key, key_field(key)
      key_states[key] = {}
    end
  end
  for i, raw in ipairs(fetch(fields)) do key_states[missing[i]] = read_key_state(missing[i], raw) end
end
