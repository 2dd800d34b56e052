-- Says that the instance ARGV[1] is alive, and forgets those not heard of for ARGV[2] milliseconds, or heard of later
-- than now, by a clock that has gone back: who lives says so again. KEYS[1]: all of them, by when they were heard last.
-- Replies with how many there are.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A Redis that is full refuses a script's first write when that may take memory: one that frees some goes first.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
