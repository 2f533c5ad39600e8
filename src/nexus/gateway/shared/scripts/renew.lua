-- The calls of one gateway that run still: each lease lasts anew, also one that had been lost.
-- KEYS: requests, tokens, leases. ARGV: for how many milliseconds, then the leases.
for index = 2, #ARGV do hold(KEYS[3], ARGV[index], tonumber(ARGV[1])) end
return 0
