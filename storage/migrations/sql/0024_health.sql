-- Health of devices, as before, but for who is heard of with nothing that can be used: `latest` shows
-- the newest clean fix, and knows (stored_until) of newer ones that say no place. A device that sends
-- those is not silent. A fix is heard no earlier than its own time, be that not yet to come.
CREATE OR REPLACE VIEW device_health WITH (security_barrier) AS
SELECT d.id, d.ident, d.codec, p.code AS provider,
       greatest(l.time, least(l.stored_until, now())) AS last_fix_at,
       greatest(l.received, least(l.stored_until, now())) AS last_received_at,
       (SELECT coalesce(sum(c.messages), 0)::bigint FROM quarantine_counts c
        WHERE c.sender = d.ident
          AND c.hour >= date_trunc('hour', now() - interval '24 hours', 'UTC')) AS refused_24h,
       CASE WHEN (SELECT scope_can('read')) THEN o.code END AS operator,
       CASE WHEN (SELECT scope_is_national())
                 OR v.operator_id = ANY ((SELECT scope_operators())::integer[])
            THEN v.id END AS vehicle_id,
       d.note, d.retired_at, d.version
FROM devices d
LEFT JOIN providers p ON p.id = d.provider_id
LEFT JOIN operators o ON o.id = d.operator_id
LEFT JOIN device_assignments a ON a.device_id = d.id AND a.valid_from <= now() AND a.valid_to > now()
LEFT JOIN vehicles v ON v.id = a.vehicle_id
LEFT JOIN latest l ON l.vehicle_id = a.vehicle_id
WHERE (SELECT scope_can('devices')) AND ((SELECT scope_is_national())
   OR v.operator_id = ANY ((SELECT scope_operators())::integer[])
   OR d.operator_id = ANY ((SELECT scope_operators())::integer[])
   OR d.provider_id = (SELECT scope_provider()));
