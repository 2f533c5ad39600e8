-- Decides on one call, all of it or nothing of it.
-- KEYS: requests, tokens, leases. ARGV: requests and tokens a minute, calls at once (each 0: no bound),
-- tokens that are taken at once, the call's lease ('' : it needs none), for how many milliseconds.
-- Reply: verdict (0 let in, 1 too many calls, 2 too many tokens, 3 too many requests), how long to wait; requests
-- counted, until none is; tokens counted, until none is; the slot of the tokens taken. Times in milliseconds.
local rpm, tpm, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local estimate, lease, lasts = tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local requests = rpm > 0 and opened(KEYS[1]) or { total = 0 }
local tokens = tpm > 0 and opened(KEYS[2]) or { total = 0, newest = slot }
local verdict, wait = 0, 0

if most > 0 and running(KEYS[3]) >= most then
  verdict, wait = 1, 1000
elseif tpm > 0 and tokens.total >= tpm then
  verdict, wait = 2, until_less(tokens, tokens.total - tpm + 1)
elseif rpm > 0 and requests.total >= rpm then
  verdict, wait = 3, until_less(requests, requests.total - rpm + 1)
else
  if lease ~= '' then hold(KEYS[3], lease, lasts) end
  if tpm > 0 and estimate > 0 then add(tokens, estimate) end
  if rpm > 0 then add(requests, 1) end
end
return { verdict, wait, requests.total, until_empty(requests), tokens.total, until_empty(tokens), tokens.newest }
