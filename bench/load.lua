-- One GraphQL operation a request, of people whom the run has not asked about before.
-- wrk -s load.lua URL -- QUERY_FILE PEOPLE OFFSET CASES [TOKENS_FILE PURPOSES [DOCUMENTS]]
-- Prints one line of JSON after `RESULT`. With tokens each request has the next of them, and the
-- cases of its people; `CASES` is how many there are, `PURPOSES` how many purposes are taken turns,
-- `DOCUMENTS` how many documents: they ask the same under names of their own.
-- Office n has the people of every block n, n + 1000, ... of 50.
local queries, people, counter, cases, purposes, tokens = {}, 1, 0, 1, 1, {}
local BLOCK = 50

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

local function read(name)
  local file = assert(io.open(name))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  for i = 1, tonumber(args[7] or 1) do
    local text = read(args[1])
    if i > 1 then text = text:gsub("^query (%w+)", "query %1" .. i) end
    queries[i] = '{"query":' .. quoted(text) .. ',"variables":{'
  end
  people, counter, cases = tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
  if args[5] then
    for token in read(args[5]):gmatch("[^\n]+") do tokens[#tokens + 1] = token end
    purposes = tonumber(args[6])
  end
end

-- The next person: of the next block, so that the next request is of another office.
local function person()
  local blocks = cases / BLOCK
  local at = counter % cases
  counter = counter + 1
  return (at % blocks) * BLOCK + math.floor(at / blocks)
end

function request()
  local first = people == 1 and person() or (counter % (cases / BLOCK)) * BLOCK
  local ids, named = {}, {}
  for i = 1, people do
    ids[i] = string.format('"%d"', 9000000000000 + first + i - 1)
    named[i] = string.format("C%d", first + i - 1)
  end
  if people > 1 then counter = counter + 1 end
  local headers = { ["Content-Type"] = "application/json" }
  if #tokens > 0 then
    local office = math.floor(first / BLOCK) % #tokens
    headers["Authorization"] = tokens[office + 1]
    headers["Hub-Purpose"] = string.format("bench-%d", office % purposes)
    headers["Hub-Case"] = table.concat(named, ",")
  end
  local variables = people == 1 and '"id":' .. ids[1] or '"ids":[' .. table.concat(ids, ",") .. "]"
  local query = queries[counter % #queries + 1]
  return wrk.format("POST", nil, headers, query .. variables .. "}}")
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'RESULT {"requests":%d,"seconds":%.6f,"bytes":%d,"p50_ms":%.3f,"p99_ms":%.3f,"errors":%d}',
    summary.requests, summary.duration / 1e6, summary.bytes,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
