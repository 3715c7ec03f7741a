-- name: find
-- What the last worker of a shard left: in hand, suspects, guilty.
INSERT INTO batches_in_hand (shard) VALUES (%(shard)s)
ON CONFLICT (shard) DO UPDATE SET shard = excluded.shard
RETURNING digests, suspects, guilty

-- name: judge
-- Put down who is suspected and who is guilty; nothing is in hand.
UPDATE batches_in_hand SET digests = '', suspects = %(suspects)s, guilty = %(guilty)s
WHERE shard = %(shard)s

-- name: hold
-- Put down what is taken in hand, without waiting for the disk.
UPDATE batches_in_hand SET digests = %(digests)s
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS hurried
WHERE shard = %(shard)s

-- name: release
-- Nothing is in hand.
UPDATE batches_in_hand SET digests = '' WHERE shard = %(shard)s
