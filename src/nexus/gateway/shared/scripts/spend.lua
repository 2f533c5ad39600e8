-- A call that was counted when it was asked for takes so many tokens now.
-- KEYS: requests, tokens, leases. ARGV: tokens. Reply: the slot that they are in.
local tokens = opened(KEYS[2])
add(tokens, tonumber(ARGV[1]))
return tokens.newest
