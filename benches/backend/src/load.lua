-- The load of one case: raw requests of a file, one after the other, from its beginning again
-- when they are used up. Each thread has its own share of them, so that no two connections change
-- one row. A request that begins with a version counts it up each time it is sent.

local threads = 0

function setup(thread)
  thread:set("share", threads)
  threads = threads + 1
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local text = file:read("*a")
  file:close()
  local of, unique = tonumber(args[2]), args[3]
  requests, before, after, versions = {}, {}, {}, {}
  next_at, sent, prefix = 0, 0, unique .. "-" .. share .. "-"
  local number = 0
  for request in text:gmatch("[^\30]+") do
    if number % of == share then
      local version, rest = request:match("^(%d+)\29(.*)$")
      local at = #requests + 1
      if version then
        local front, back = rest:match("^(.-)\1(.*)$")
        requests[at], before[at], after[at] = false, front, back
        versions[at] = tonumber(version)
      elseif request:find("\2", 1, true) then
        local front, back = request:match("^(.-)\2(.*)$")
        requests[at], before[at], after[at] = false, front, back
      else
        requests[at] = request
      end
    end
    number = number + 1
  end
  rehearsed = share ~= 0
end

function request()
  local at = next_at + 1
  -- wrk asks once to see what is made and sends nothing of it.
  if rehearsed then
    next_at = at == #requests and 0 or at
  end
  local whole = requests[at]
  if whole then
    rehearsed = true
    return whole
  end
  local version = versions[at]
  local text
  if version then
    text = before[at] .. string.format("%d", version) .. after[at]
    if rehearsed then versions[at] = version + 1 end
  else
    sent = sent + 1
    text = before[at] .. prefix .. sent .. after[at]
  end
  rehearsed = true
  return text
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "\nRESULT %d %d %d %d %d %d\n",
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)
  ))
end
