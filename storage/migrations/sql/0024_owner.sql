-- Who changes the registry as its owner: a command or the worker. A caller of the API never does, also
-- where its process connects as the owner (no api.dsn): whoever has said by which secret it was let
-- in is bounded by that.
CREATE OR REPLACE FUNCTION owns_registry() RETURNS boolean LANGUAGE sql STABLE
RETURN nullif(current_setting('hanhtrinh.caller', true), '') IS NULL
   AND pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = 'drivers'::regclass),
                   'USAGE');
