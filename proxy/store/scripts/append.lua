-- Adds to the end of the log KEYS[1]. ARGV: how many entries it keeps, for how many milliseconds it outlives its last
-- entry, then a value for each entry. Replies with the last entry's id.
-- A Redis that is full refuses a script's first write when that may take memory: another goes first. The log's length is
-- bounded.
redis.call('PERSIST', KEYS[1])
local id
for i = 3, #ARGV do
  id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[1], '*', 'v', ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return id
