"""Lua scripts for steps that must be atomic."""

# ARGV: group; for each record either "P", stream, deduplication id ("" = none), its lifetime in seconds, max length
# (0 = none), n, n fields and values, or "L", hash, key, value; for each ended entry "A", stream, entry id.
# Returns the number of added entries.
PUBLISH_AND_ACK = """
local added, at, group = 0, 2, ARGV[1]
while at <= #ARGV do
  local stream = ARGV[at + 1]
  if ARGV[at] == 'A' then
    redis.call('XACK', stream, group, ARGV[at + 2])
    at = at + 3
  elseif ARGV[at] == 'L' then
    redis.call('HSET', stream, ARGV[at + 2], ARGV[at + 3])
    at = at + 4
  else
    local dedup_id, n = ARGV[at + 2], tonumber(ARGV[at + 5])
    local key = 'topicflow:published:' .. dedup_id
    if dedup_id == '' or redis.call('EXISTS', key) == 0 then
      local entry
      if ARGV[at + 4] == '0' then
        entry = redis.call('XADD', stream, '*', unpack(ARGV, at + 6, at + 5 + n))
      else
        entry = redis.call('XADD', stream, 'MAXLEN', '~', ARGV[at + 4], '*', unpack(ARGV, at + 6, at + 5 + n))
      end
      if dedup_id ~= '' then redis.call('SET', key, entry, 'EX', ARGV[at + 3]) end
      added = added + 1
    end
    at = at + 6 + n
  end
end
return added
"""

# KEYS: stream. ARGV: group, member, minimum idle milliseconds, count, owner ("" = any), and the earliest and latest
# server time in milliseconds: a script that runs later claims nothing.
# Returns [[id, delivery count, [field, value, …]], …]; entries that were trimmed are acknowledged.
CLAIM = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now < tonumber(ARGV[6]) or now > tonumber(ARGV[7]) then return {} end
local args = {'XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', ARGV[4]}
if ARGV[5] ~= '' then args[#args + 1] = ARGV[5] end
local claimed = {}
for _, pending in ipairs(redis.call(unpack(args))) do
  local id = pending[1]
  local entry = redis.call('XRANGE', KEYS[1], id, id)
  if #entry == 0 then
    redis.call('XACK', KEYS[1], ARGV[1], id)
  else
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'JUSTID')
    claimed[#claimed + 1] = {id, pending[4], entry[1][2]}
  end
end
return claimed
"""

# KEYS: stream. ARGV: group, member, new owner, then pairs of id and delivery count (-1 = unchanged).
# Changes only entries that the member owns; returns the ids of the others.
OWN = """
local not_owned = {}
for at = 4, #ARGV, 2 do
  local id, count = ARGV[at], ARGV[at + 1]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])
  if #pending == 0 then
    not_owned[#not_owned + 1] = id
  else
    if count == '-1' then count = pending[1][4] end
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, id, 'IDLE', 0, 'RETRYCOUNT', count, 'JUSTID')
  end
end
return not_owned
"""

# KEYS: stream. ARGV: group, member. Removes a member without pending entries.
LEAVE = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
  return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
end
return -1
"""
