-- Prolongs the lease of KEYS[1]. ARGV: owner, lease in microseconds. Replies 1, or 0 when the claim isn't the owner's.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'ends', string.format('%.0f', time[1] * 1000000 + time[2] + ARGV[2]))
local lease = math.ceil(ARGV[2] / 1000)
if redis.call('PTTL', KEYS[1]) < lease then redis.call('PEXPIRE', KEYS[1], lease) end
return 1
