-- at: 0001
INSERT INTO operators (code, name, province) VALUES ('north', 'North Lines', 'Ha Noi');
INSERT INTO vehicles (plate, operator_id) VALUES ('51B12345', 1);
INSERT INTO devices (ident) VALUES ('dev-1');
INSERT INTO device_assignments VALUES (1, 1);
INSERT INTO drivers (licence, name, operator_id) VALUES ('790000000001', 'An', 1);
INSERT INTO zones (code, kind, geometry) VALUES
    ('term-a', 'terminal', '{"type": "Point", "coordinates": [105.8, 21.0]}'),
    ('term-b', 'terminal', '{"type": "Point", "coordinates": [105.9, 21.0]}');
UPDATE zones SET radius_m = 200;
INSERT INTO routes (code, corridor_m, terminal_a, terminal_b, outbound, inbound) VALUES
    ('R-1', 200, 'term-a', 'term-b',
     '{"type": "LineString", "coordinates": [[105.8, 21.0], [105.9, 21.0]]}',
     '{"type": "LineString", "coordinates": [[105.9, 21.0], [105.8, 21.0]]}');
INSERT INTO route_stops VALUES (1, 'outbound', 1, 'Halfway', 105.85, 21.0);
INSERT INTO vehicle_routes VALUES (1, 'R-1');
INSERT INTO weigh_stations (code, lon, lat) VALUES ('scale', 105.8, 21.0);
INSERT INTO weighings (station_id, vehicle_id, time, received, lane, plate, gross_kg, speed_kmh,
                       length_m, axle_kg, axle_spacing_m)
    VALUES (1, 1, '2025-05-01 12:00Z', '2025-05-01 12:00Z', 1, '51B12345', 31000, 'NaN', 'NaN',
            '{11000,20000}', '{NaN,4.3}');
INSERT INTO fix_extras VALUES (1, '2025-05-01 12:01Z', '{"io": 1}');
INSERT INTO fix_repeats VALUES (1, '2025-05-01 12:01Z', '2025-05-01 12:09Z', 105.9, 21, 40, 90);
INSERT INTO repeat_counts VALUES (1, '2025-05-01', 3);
INSERT INTO latest VALUES (1, '2025-05-02 13:00Z', 105.804, 21, 40, 90, -1, 0, 0, '2025-05-02 13:00Z',
                           '2025-05-02 13:00Z', '2025-05-02 13:00Z', '2025-05-02 12:00Z');
INSERT INTO judge_marks VALUES (1, '2025-05-01 12:00Z', '2025-05-01 11:00Z');
INSERT INTO zone_visits VALUES (1, 1, '2025-05-01 12:00Z', '2025-05-01 12:02Z', false, 3);
INSERT INTO violations (kind, subject, rule_profile, vehicle_id, driver_id, started_at, ended_at,
                        duration_s, distance_m, fixes, start_lon, start_lat, end_lon, end_lat,
                        details, status, version)
    VALUES ('speeding', '', 'qcvn31', 1, 1, '2025-05-01 12:01Z', '2025-05-01 12:02Z', 60, 104, 2,
            105.801, 21, 105.802, 21, '{"band": "5_10"}', 'revised', 2);
INSERT INTO violation_versions (violation_id, version, facts, superseded_by, reason)
    SELECT id, 1, to_jsonb(v), 'worker', 'late data' FROM violations v;
INSERT INTO quarantine (received, topic, payload, payload_bytes, reason, digest, seen, last_seen)
    VALUES ('2025-05-01 12:00Z', 'gsht/v1/json/dev-2', '{}', 2, 'unknown_device', '\x01', 4,
            '2025-05-01 12:00Z');
INSERT INTO api_tokens (name, digest, role, operator_id)
    VALUES ('depot', sha256('an old token'), 'operator', 1);

-- at: 0002
INSERT INTO driving_spans VALUES (1, '2025-05-01 12:00Z', '2025-05-01 12:02Z', 1, 'qcvn31', false,
                                  false, false, 0, 208, 3, 105.8, 21, 105.802, 21);

-- at: 0003
INSERT INTO route_slots (route_id, seq, direction, departs) VALUES (1, 1, 'outbound', '12:00');
INSERT INTO route_trips VALUES (1, 1, '2025-05-01 12:00Z', '2025-05-01 12:02Z', 'outbound', 'arrived',
                                1, 'qcvn31', 208, 3, 0, 105.8, 21, 105.802, 21);

-- at: 0007
INSERT INTO device_logins (ident, kind, client_id) VALUES ('dev-1', 'device', 'dev-1');
INSERT INTO device_secrets (login_id, iterations, salt, digest)
    VALUES (1, 1, 'salt', decode(repeat('00', 64), 'hex'));

-- at: 0008
INSERT INTO judging VALUES (1, 42);

-- at: 0009
INSERT INTO late_fixes VALUES (0, 1, '2025-05-01 11:00Z', '2025-05-01 13:00Z', 105.7, 21, 40, 90, 'NaN',
                               'NaN', 255, 'NaN', -1, 0, 0);
INSERT INTO late_fix_extras VALUES (1, '2025-05-01 11:00Z', '{"io": 2}');
INSERT INTO batches_in_hand VALUES (0);

-- at: 0010
INSERT INTO providers (code, name) VALUES ('vnet', 'V-Net');
INSERT INTO people (username, role) VALUES ('an', 'inspector');
INSERT INTO past_passwords (person_id, password) VALUES (1, 'x');
INSERT INTO login_failures VALUES ('\x01', 1, now(), now());
INSERT INTO sessions (digest, person_id, idle_s, expires_at, address, proven_by, is_limited)
    VALUES ('\x02', 1, 60, now(), '127.0.0.1', 'password', false);

-- at: 0011
SELECT audit_append('person an', '127.0.0.1', 'put_zone', '/zones/term-a', '{}');
