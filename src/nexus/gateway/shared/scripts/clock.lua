-- now: milliseconds of Redis' own clock, which is the same for every gateway.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
