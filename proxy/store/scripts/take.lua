-- Takes from every quota, or from none. KEYS: one for each quota. ARGV: six for each: the algorithm, its three numbers,
-- the most that it ever gives, the cost. Behind them the order: 0, or 1 to look at the memory first, or 2 to leave out
-- keys that are new (3: both). Replies with a text of four integers for each: whether it allows (0 refused, 1 allowed,
-- 2 allowed with a new key, 3 a new key that was left out), what remains, after how many microseconds the same take
-- would pass, after how many it is whole again. After a look one more: 0 plenty of memory, 1 tight, 2 none for new keys.
-- store/meter.cpp has the formulas.
local time = redis.call('TIME')
local wall = time[1] * 1000000 + time[2]
-- gcra counts in sixteenths of a microsecond, from a day in 2023: well below 2^53, and fine enough for quick limits.
local TICKS = 16
local now = (wall - 1700000000000000) * TICKS

-- Only under `noeviction` Redis gets full; 0, when it doesn't say.
local function look()
  local info = redis.pcall('INFO', 'memory')
  if type(info) ~= 'string' or not string.find(info, 'maxmemory_policy:noeviction', 1, true) then return 0 end
  local most = tonumber(string.match(info, 'maxmemory:(%d+)'))
  local used = tonumber(string.match(info, 'used_memory:(%d+)'))
  if not most or not used or most == 0 or used <= most * 0.75 then return 0 end
  return used > most * 0.9 and 2 or 1
end

local order = tonumber(ARGV[#KEYS * 6 + 1])
local seen = (order == 1 or order == 3) and look()
local leaves_out = order >= 2 or seen == 2

-- An arrival later than `latest` from now was reckoned by other terms, or before the clock went back: it is cut to that,
-- also when nothing is taken.
local function gcra(state, interval, tolerance, latest, burst, cost)
  local kept = tonumber(state) or now
  local arrival = math.min(math.max(kept, now), now + latest)
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
    cut = kept > arrival and string.format('%.0f', arrival),
    keep_cut = latest / TICKS,
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

-- One member for each that was taken, by when; those of a clock that has gone back are forgotten.
local function log(key, count, per, cost)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', wall - per))
  redis.call('ZREMRANGEBYSCORE', key, string.format('(%.0f', wall), '+inf')
  local used = redis.call('ZCARD', key)
  local left = count - used
  local allowed = cost <= left
  local function until_gone(index) -- the one with this index, 0 for the oldest
    local found = redis.call('ZRANGE', key, index, index, 'WITHSCORES')
    return found[2] and tonumber(found[2]) + per - wall or 0
  end
  local retry = 0
  if not allowed then retry = cost > count and per or until_gone(cost - left - 1) end
  return {
    allowed = allowed,
    remaining = math.max(left - (allowed and cost or 0), 0),
    retry = retry,
    reset = allowed and cost > 0 and per or until_gone(-1),
    used = used,
    is_new = used == 0,
    keep = per,
  }
end

local function take_from_log(key, used, cost)
  local at = string.format('%.0f', wall)
  for first = 1, cost, 500 do
    local members = {}
    for i = first, math.min(first + 499, cost) do
      members[#members + 1] = at
      members[#members + 1] = at .. ':' .. (used + i)
    end
    redis.call('ZADD', key, unpack(members))
  end
end

-- A limit that changes its algorithm begins anew.
local function state_of(key)
  local state = redis.pcall('GET', key)
  if type(state) ~= 'table' then return state or nil end
  redis.call('DEL', key)
end

local function reckon(index, cost)
  local at = (index - 1) * 6
  local key, algorithm = KEYS[index], ARGV[at + 1]
  local first, second, third = tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
  if algorithm == 'log' then
    if redis.call('TYPE', key).ok == 'string' then redis.call('DEL', key) end
    return log(key, first, second, cost)
  end
  local state = state_of(key)
  local outcome
  if algorithm == 'gcra' then
    outcome = gcra(state, first, second, third, tonumber(ARGV[at + 5]), cost)
  else
    outcome = window(state, first, second, algorithm == 'slide', cost)
  end
  outcome.is_new = not state
  return outcome
end

-- A Redis that is full refuses a script's first write when that may take memory. A key that is known takes no more than
-- before: another write goes first. False for a new key that there is no memory for.
local function set(key, state, keep, is_new)
  local time = math.max(math.ceil(keep / 1000), 1)
  local done = redis.pcall('SET', key, state, 'PX', time)
  if type(done) ~= 'table' or not done.err then return true end
  if not string.find(done.err, 'OOM', 1, true) then return done end
  leaves_out = true
  if is_new then return false end
  redis.call('PERSIST', key)
  redis.call('SET', key, state, 'PX', time)
  return true
end

-- False when the key was left out.
local function take(key, outcome, cost)
  if outcome.is_new and leaves_out then return false end
  if outcome.state then return set(key, outcome.state, outcome.keep, outcome.is_new) end
  take_from_log(key, outcome.used, cost)
  redis.call('PEXPIRE', key, math.max(math.ceil(outcome.keep / 1000), 1))
  return true
end

local outcomes, all_allow = {}, true
for i = 1, #KEYS do
  outcomes[i] = reckon(i, tonumber(ARGV[i * 6]))
  all_allow = all_allow and outcomes[i].allowed
end

local reply = {}
for i = 1, #KEYS do
  local outcome, told = outcomes[i], outcomes[i]
  local cost = tonumber(ARGV[i * 6])
  local allowed = outcome.allowed and 1 or 0
  if cost > 0 and all_allow then
    local done = take(KEYS[i], outcome, cost)
    if type(done) == 'table' then return done end
    allowed = not done and 3 or outcome.is_new and 2 or 1
  elseif cost > 0 then
    told = reckon(i, 0) -- as it stands: nothing was taken
    if outcome.cut then set(KEYS[i], outcome.cut, outcome.keep_cut, false) end
  end
  reply[i] = string.format('%d %d %d %d', allowed, told.remaining, outcome.retry, told.reset)
end
if seen then reply[#reply + 1] = seen end
return table.concat(reply, ' ')
