-- Sets KEYS[1] to ARGV[1] for ARGV[2] milliseconds, unless three quarters of the memory that Redis may use are taken.
-- Replies 1, or 0 when they are.
local info = redis.pcall('INFO', 'memory')
if type(info) == 'string' then
  local most = tonumber(string.match(info, 'maxmemory:(%d+)'))
  local used = tonumber(string.match(info, 'used_memory:(%d+)'))
  if most and used and most > 0 and used + #ARGV[1] > most * 0.75 then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
