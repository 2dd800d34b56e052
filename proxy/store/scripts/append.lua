-- Adds to the end of the log KEYS[1]. ARGV: value, how many entries it keeps, for how many milliseconds it outlives its
-- last entry. Replies with the entry's id.
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'v', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return id
