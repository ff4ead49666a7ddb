-- For wrk: send one request again and again, and say at the end what came of it, as JSON in the last line.
-- Arguments: method, body, token; or instead of the token how many there are, to be used in turns.

function init(args)
  wrk.method = args[1]
  wrk.headers["Accept"] = "*/*"
  wrk.headers["Content-Type"] = "application/json"
  if args[2] ~= "" then wrk.body = args[2] end
  local tokens = tonumber(args[3])
  if tokens == nil then
    wrk.headers["Authorization"] = "Bearer " .. args[3]
    return
  end
  local requests, turn = {}, 0
  for number = 0, tokens - 1 do
    wrk.headers["Authorization"] = "Bearer talq_benchmark_" .. number
    requests[number] = wrk.format()
  end
  function request()
    turn = (turn + 1) % tokens
    return requests[turn]
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "broken": %d, "refused": %d, "p50_ms": %f, "p99_ms": %f, "longest_ms": %f}\n',
    summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout,
    errors.status, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
