-- Makes an owner the one who does what KEYS[1] stands for, or says why not. ARGV: owner, fingerprint, lease in
-- microseconds, how long it is remembered in milliseconds, whether a lapsed claim may be taken over (1 or 0).
-- Replies with the state's name, then what is left of the lease in microseconds, or the result.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local claim = redis.call('HMGET', KEYS[1], 'owner', 'fingerprint', 'ends', 'result')
local owner, fingerprint, ends, result = claim[1], claim[2], tonumber(claim[3] or nil), claim[4]

if fingerprint then
  if fingerprint ~= ARGV[2] then return {'conflict'} end
  if not owner then return {'finished', result} end
  if ends > now then return {'running', ends - now} end
  if ARGV[5] ~= '1' then return {'lapsed'} end
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fingerprint', ARGV[2], 'ends', string.format('%.0f', now + ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'mine', tonumber(ARGV[3])}
