-- Roles of the database, besides hanhtrinh_api; a restore into a new server needs them first.
--
-- hanhtrinh_gate knows who somebody is and reads nothing else; the API's login is a member of it
-- and of nothing more. For each request it becomes the caller's role:
--     hanhtrinh_administrator, _inspector, _operator, _reader   (members of hanhtrinh_api, the
--         group of those who read journeys) and hanhtrinh_provider, which is no member of it.
-- Roles belong to the cluster: another database of it may have made them, or be making them now.
DO $$
DECLARE
    made text;
BEGIN
    FOREACH made IN ARRAY ARRAY['hanhtrinh_gate', 'hanhtrinh_administrator', 'hanhtrinh_inspector',
                                'hanhtrinh_operator', 'hanhtrinh_provider', 'hanhtrinh_reader']
    LOOP
        BEGIN
            IF to_regrole(made) IS NULL THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN %s', made,
                    CASE made WHEN 'hanhtrinh_gate' THEN 'NOINHERIT' ELSE 'INHERIT' END);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;

DO $$
DECLARE
    link text[];
BEGIN
    FOREACH link SLICE 1 IN ARRAY ARRAY[
        ['hanhtrinh_api', 'hanhtrinh_administrator'], ['hanhtrinh_api', 'hanhtrinh_inspector'],
        ['hanhtrinh_api', 'hanhtrinh_operator'], ['hanhtrinh_api', 'hanhtrinh_reader'],
        ['hanhtrinh_administrator', 'hanhtrinh_gate'], ['hanhtrinh_inspector', 'hanhtrinh_gate'],
        ['hanhtrinh_operator', 'hanhtrinh_gate'], ['hanhtrinh_provider', 'hanhtrinh_gate'],
        ['hanhtrinh_reader', 'hanhtrinh_gate'], ['hanhtrinh_gate', current_user::text]]
    LOOP
        BEGIN
            IF NOT pg_has_role(link[2], link[1], 'MEMBER') THEN
                EXECUTE format('GRANT %I TO %I', link[1], link[2]);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $$;
