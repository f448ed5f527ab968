//! What is asked of a Redis server in one step: scripts, in its Lua.
//!
//! Keys of a topic share a hash tag, so they are together in a cluster.

use redis::Script;

/// Makes what is missing of a topic. Partitions that are there stay as they are; a stream that went
/// took its messages along, so the topic is another then.
///
/// Key: the topic's hash. Arguments: partitions to make, and what keys of streams begin with.
/// Answers with the partitions and the incarnation.
const DECLARE: &str = "
redis.call('HSETNX', KEYS[1], 'partitions', ARGV[1])
local partitions = redis.call('HGET', KEYS[1], 'partitions')
local whole = redis.call('HEXISTS', KEYS[1], 'incarnation') == 1
for partition = 0, tonumber(partitions) - 1 do
  local stream = ARGV[2] .. partition
  if redis.call('EXISTS', stream) == 0 then
    whole = false
    redis.call('XGROUP', 'CREATE', stream, 'made', '$', 'MKSTREAM')
    redis.call('XGROUP', 'DESTROY', stream, 'made')
  end
end
if not whole then
  local now = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'incarnation', now[1] .. '-' .. now[2])
end
return {partitions, redis.call('HGET', KEYS[1], 'incarnation')}
";

/// Deletes a topic. Key and argument as for [`DECLARE`], without the count of partitions.
const REMOVE: &str = "
local partitions = redis.call('HGET', KEYS[1], 'partitions')
redis.call('DEL', KEYS[1])
for partition = 0, tonumber(partitions or 0) - 1 do
  redis.call('UNLINK', ARGV[1] .. partition)
end
";

/// Id of what was last added to a stream, also where that went. Key: the stream.
const END: &str = "
local about = redis.call('XINFO', 'STREAM', KEYS[1])
for at = 1, #about, 2 do
  if about[at] == 'last-generated-id' then return about[at + 1] end
end
";

/// Entries behind an id, until there are enough.
///
/// Keys: the stream, the topic's hash. Arguments: the incarnation that is read, the id, entries at
/// most, and bytes after which it is enough. Answers with nothing where the topic is another.
const READ: &str = "
if redis.call('HGET', KEYS[2], 'incarnation') ~= ARGV[1] then return false end
local read, bytes, from = {}, 0, '(' .. ARGV[2]
while #read < tonumber(ARGV[3]) do
  local some = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 16)
  for _, entry in ipairs(some) do
    for _, part in ipairs(entry[2]) do bytes = bytes + #part end
    read[#read + 1] = entry
    if bytes >= tonumber(ARGV[4]) then return read end
    from = '(' .. entry[1]
  end
  if #some < 16 then return read end
end
return read
";

/// How many entries are behind an id. They are counted up to a limit, so that nothing else waits
/// long; the others are estimated by their share of the time that the stream spans.
///
/// Key: the stream. Arguments: the id, entries and bytes that are counted at most.
const WAITING: &str = "
if #redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', 1) == 0 then
  return redis.call('XLEN', KEYS[1])
end
local count, bytes, from = 0, 0, ARGV[1]
while count < tonumber(ARGV[2]) and bytes < tonumber(ARGV[3]) do
  local some = redis.call('XRANGE', KEYS[1], '(' .. from, '+', 'COUNT', 16)
  count = count + #some
  if #some < 16 then return count end
  from = some[16][1]
  for _, entry in ipairs(some) do
    for _, part in ipairs(entry[2]) do bytes = bytes + #part end
  end
end
local time = function(id) return tonumber(string.match(id, '^%d+')) end
local first = time(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1])
local last = time(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1])
if last <= first then return count end
return count + math.floor(redis.call('XLEN', KEYS[1]) * (last - time(from)) / (last - first))
";

/// All of them, with the names that the server knows them by.
pub(super) struct Scripts {
    pub(super) declare: Script,
    pub(super) remove: Script,
    pub(super) end: Script,
    pub(super) read: Script,
    pub(super) waiting: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            declare: Script::new(DECLARE),
            remove: Script::new(REMOVE),
            end: Script::new(END),
            read: Script::new(READ),
            waiting: Script::new(WAITING),
        }
    }
}
