-- name: take_over
-- Remove and give what the last workers of some shards left: in hand, suspects, guilty.
DELETE FROM batches_in_hand WHERE shard = ANY (%(shards)s) RETURNING digests, suspects, guilty

-- name: judge
-- Put down who is suspected and who is guilty; nothing is in hand.
INSERT INTO batches_in_hand (shard, suspects, guilty) VALUES (%(shard)s, %(suspects)s, %(guilty)s)
ON CONFLICT (shard) DO UPDATE
SET digests = '', suspects = excluded.suspects, guilty = excluded.guilty

-- name: hold
-- Put down what is taken in hand, without waiting for the disk.
UPDATE batches_in_hand SET digests = %(digests)s
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS hurried
WHERE shard = %(shard)s

-- name: release
-- Nothing is in hand.
UPDATE batches_in_hand SET digests = '' WHERE shard = %(shard)s
