-- A call has ended: its lease is free, and it has used more tokens than it took at first, or less.
-- KEYS: requests, tokens, leases. ARGV: the lease ('' : none), tokens more (negative: less), the slot they were taken in.
local lease, more, begun = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if lease ~= '' then redis.call('ZREM', KEYS[3], lease) end
if more > 0 then add(opened(KEYS[2]), more) end
if more < 0 then take_back(opened(KEYS[2]), begun, -more) end
return 0
