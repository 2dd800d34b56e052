-- Ends the claim KEYS[1] with a result. ARGV: owner, result, how long it is kept in milliseconds. Replies 1, or 0 when
-- the claim isn't the owner's.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'owner', 'ends')
redis.call('HSET', KEYS[1], 'result', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
