-- Takes from every quota, or from none. KEYS: one for each quota. ARGV: five for each: the algorithm, its two numbers,
-- the most that it ever gives, the cost. Replies with a text of four integers for each: whether it allows, what remains,
-- after how many microseconds the same take would pass, after how many it is whole again. store/meter.cpp has the
-- formulas.
local time = redis.call('TIME')
local wall = time[1] * 1000000 + time[2]
-- gcra counts in sixteenths of a microsecond, from a day in 2023: well below 2^53, and fine enough for quick limits.
local TICKS = 16
local now = (wall - 1700000000000000) * TICKS

local function gcra(state, interval, tolerance, burst, cost)
  local arrival = math.max(tonumber(state) or now, now)
  local next = arrival + interval * math.min(cost, burst + 1)
  local early = next - tolerance - now
  local allowed = early <= 0
  local reached = allowed and next or arrival
  return {
    allowed = allowed,
    remaining = math.floor(math.max(tolerance - (reached - now), 0) / interval),
    retry = allowed and 0 or math.ceil(early / TICKS),
    reset = math.ceil((reached - now) / TICKS),
    state = string.format('%.0f', next),
    keep = (next - now) / TICKS,
  }
end

local function until_in_sight(count, room, per)
  if count == 0 then return 0 end
  return math.ceil(math.max(1 - math.max(room, 0) / count, 0) * per)
end

local function window(state, count, per, slides, cost)
  local number = math.floor(wall / per)
  local elapsed = wall - number * per
  local current, previous = 0, 0
  local kept, kept_current, kept_previous = string.match(state or '', '^(%d+):(%d+):(%d+)$')
  kept = tonumber(kept)
  if kept == number then
    current, previous = tonumber(kept_current), tonumber(kept_previous)
  elseif kept == number - 1 then
    previous = tonumber(kept_current)
  end

  local in_sight = slides and 1 - elapsed / per or 0
  local left = count - (previous * in_sight + current)
  local allowed = cost <= left
  local retry = 0
  if not allowed then
    if not slides then
      retry = per - elapsed
    elseif current + cost <= count then
      retry = until_in_sight(previous, count - cost - current, per) - elapsed
    else
      retry = per - elapsed + until_in_sight(current, count - cost, per)
    end
  end
  if allowed then current = current + cost end
  return {
    allowed = allowed,
    remaining = math.floor(math.max(left - (allowed and cost or 0), 0)),
    retry = retry,
    reset = per - elapsed + (slides and current > 0 and per or 0),
    state = string.format('%.0f:%.0f:%.0f', number, current, previous),
    keep = per - elapsed + (slides and per or 0),
  }
end

local function reckon(index, cost)
  local at = (index - 1) * 5
  local algorithm = ARGV[at + 1]
  local first, second, most = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  local state = redis.call('GET', KEYS[index]) or nil
  if algorithm == 'gcra' then return gcra(state, first, second, most, cost) end
  return window(state, first, second, algorithm == 'slide', cost)
end

local outcomes, all_allow = {}, true
for i = 1, #KEYS do
  outcomes[i] = reckon(i, tonumber(ARGV[i * 5]))
  all_allow = all_allow and outcomes[i].allowed
end

local reply = {}
for i = 1, #KEYS do
  local outcome, told = outcomes[i], outcomes[i]
  if tonumber(ARGV[i * 5]) > 0 then
    if all_allow then
      redis.call('SET', KEYS[i], outcome.state, 'PX', math.max(math.ceil(outcome.keep / 1000), 1))
    else
      told = reckon(i, 0) -- as it stands: nothing was taken
    end
  end
  reply[i] = string.format('%d %d %d %d', outcome.allowed and 1 or 0, told.remaining, outcome.retry, told.reset)
end
return table.concat(reply, ' ')
