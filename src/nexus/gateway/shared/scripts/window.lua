-- The sliding window of nexus.policies.windows, kept in a hash: slot -> count, and newest, filled, total.
-- A clock that was set back by less than a window stands still here; after more, the window begins anew.
local WIDTH, KEPT = 500, 121
local WINDOW_LIVES = (KEPT + 1) * WIDTH
local slot = math.floor(now / WIDTH)

local function counts_of(key, first, last)
  local slots = {}
  for one = first, last do slots[#slots + 1] = one end
  return slots, redis.call('HMGET', key, unpack(slots))
end

-- The window as it is now: { key, newest, filled, total }.
local function opened(key)
  local kept = redis.call('HMGET', key, 'newest', 'filled', 'total')
  local newest, filled, total = tonumber(kept[1]), tonumber(kept[2]), tonumber(kept[3])
  if newest and math.abs(slot - newest) >= KEPT then
    redis.call('DEL', key)
    newest = nil
  end
  if not newest then return { key = key, newest = slot, filled = slot, total = 0 } end
  if slot > newest then
    local passed, counts = counts_of(key, newest + 1 - KEPT, slot - KEPT)
    for index = 1, #passed do total = total - (tonumber(counts[index]) or 0) end
    redis.call('HDEL', key, unpack(passed))
    newest = slot
    redis.call('HSET', key, 'newest', newest, 'total', total)
  end
  return { key = key, newest = newest, filled = filled, total = total }
end

local function add(window, amount)
  window.total = window.total + amount
  window.filled = window.newest
  redis.call('HINCRBY', window.key, window.newest, amount)
  redis.call('HSET', window.key, 'newest', window.newest, 'filled', window.filled, 'total', window.total)
  redis.call('PEXPIRE', window.key, WINDOW_LIVES)
end

-- `amount` of what was added in the slot `begun` was none after all. What is not there any more is left alone.
local function take_back(window, begun, amount)
  local there = tonumber(redis.call('HGET', window.key, begun) or 0)
  if begun <= window.newest - KEPT or there <= 0 then return end
  amount = math.min(amount, there)
  window.total = window.total - amount
  redis.call('HINCRBY', window.key, begun, -amount)
  redis.call('HSET', window.key, 'total', window.total)
end

-- Milliseconds until `amount` of what is counted is forgotten.
local function until_less(window, amount)
  local slots, counts = counts_of(window.key, window.newest - KEPT + 1, window.newest)
  for index = 1, #slots do
    amount = amount - (tonumber(counts[index]) or 0)
    if amount <= 0 then return (slots[index] + KEPT) * WIDTH - now end
  end
  return (KEPT - 1) * WIDTH
end

-- Milliseconds until nothing of it counts any more.
local function until_empty(window)
  return window.total > 0 and (window.filled + KEPT) * WIDTH - now or 0
end
