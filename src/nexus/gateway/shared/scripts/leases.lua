-- The calls that run, in a sorted set: lease -> when it expires, milliseconds. Nobody has to give one back.
-- None lasts longer than LONGEST: what seems to was taken before the clock was set back.
local LONGEST = 600000

local function hold(key, lease, lasts)
  redis.call('ZADD', key, now + lasts, lease)
  redis.call('PEXPIRE', key, LONGEST)
end

local function running(key)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  redis.call('ZREMRANGEBYSCORE', key, '(' .. (now + LONGEST), '+inf')
  return redis.call('ZCARD', key)
end
