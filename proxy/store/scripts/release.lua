-- Forgets the claim KEYS[1]. ARGV: owner. Replies 1, or 0 when the claim isn't the owner's.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
