-- Reviews of violations: what people make of them, step by step (docs/reviews.md).

-- review_number counts what happened to the review: steps, files added or taken back. proposal: the
-- number of the step that waits for a second person.
ALTER TABLE violations
    ADD COLUMN review_number integer NOT NULL DEFAULT 0,
    ADD COLUMN proposal integer;
CREATE INDEX violations_flagged ON violations (started_at DESC, id DESC) WHERE revised_under_review;
CREATE INDEX violations_proposed ON violations (started_at DESC, id DESC) WHERE proposal IS NOT NULL;

-- Every step that there is; one that leads back to where it began needs facts that were revised.
CREATE TABLE review_moves (
    step       text NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    PRIMARY KEY (step, from_state, to_state)
);
INSERT INTO review_moves
SELECT 'acknowledge', state, 'acknowledged' FROM unnest(ARRAY['new', 'acknowledged']) state
UNION ALL
SELECT 'appeal', 'confirmed', 'appealed'
UNION ALL
SELECT step, from_state, to_state
FROM (VALUES ('excuse', 'excused'), ('confirm', 'confirmed'), ('dismiss', 'dismissed'))
         AS decision (step, to_state),
     unnest(ARRAY['new', 'acknowledged', 'excused', 'confirmed', 'appealed', 'dismissed'])
         AS from_state;

-- What was done, by whom, on which version of the facts: append only.
CREATE TABLE violation_reviews (
    violation_id bigint NOT NULL REFERENCES violations,
    number       integer NOT NULL,       -- violations.review_number from then on
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    act          text NOT NULL CHECK (act IN ('taken', 'proposed', 'agreed', 'refused', 'withdrawn')),
    step         text NOT NULL,
    from_state   text NOT NULL,
    to_state     text NOT NULL,          -- where the step leads; only 'taken' and 'agreed' go there
    version      integer NOT NULL,       -- of the facts that were judged
    reason       text NOT NULL DEFAULT '' CHECK (reason ~ '^[a-z_]{0,40}$'),
    text         text NOT NULL DEFAULT '' CHECK (char_length(text) <= 2000),
    actor        text NOT NULL,          -- 'person an' (or a key of hers), 'key 7 depot'
    role         text NOT NULL,
    operator_id  integer REFERENCES operators,
    province     text,
    person_id    integer REFERENCES people,      -- NULL: a program
    proposed_by  integer REFERENCES people,      -- whose proposal was answered
    PRIMARY KEY (violation_id, number),
    FOREIGN KEY (step, from_state, to_state) REFERENCES review_moves,
    CONSTRAINT decided_by_people
        CHECK (step IN ('acknowledge', 'appeal') OR person_id IS NOT NULL),
    CONSTRAINT answered_proposal
        CHECK (act IN ('taken', 'proposed') OR proposed_by IS NOT NULL),
    CONSTRAINT four_eyes
        CHECK (CASE act WHEN 'withdrawn' THEN person_id = proposed_by
                        WHEN 'taken' THEN true WHEN 'proposed' THEN true
                        ELSE person_id <> proposed_by END)
);

-- Files that people add. What the next step leans on stays as long as the violation.
CREATE TABLE violation_attachments (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    violation_id bigint NOT NULL REFERENCES violations,
    number       integer NOT NULL,       -- violations.review_number from then on
    added_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 120),
    type         text NOT NULL
                 CHECK (type IN ('image/jpeg', 'image/png', 'application/pdf', 'text/plain')),
    bytes        integer NOT NULL CHECK (bytes > 0 AND bytes = octet_length(content)),
    sha256       bytea NOT NULL CHECK (sha256 = sha256(content)),
    content      bytea NOT NULL,
    actor        text NOT NULL,
    role         text NOT NULL,
    operator_id  integer REFERENCES operators,
    person_id    integer REFERENCES people
);
-- The formats are compressed already.
ALTER TABLE violation_attachments ALTER content SET STORAGE EXTERNAL;
CREATE INDEX violation_attachments_violation ON violation_attachments (violation_id, id);
CREATE INDEX violation_attachments_operator ON violation_attachments (operator_id, added_at);

-- Abilities: `answer` acknowledges and appeals, `decide` excuses, confirms and dismisses. Keys that
-- there are keep what they were given.
CREATE OR REPLACE FUNCTION abilities_of(role text, province text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE role
    WHEN 'administrator' THEN
        ARRAY['read', 'write', 'register', 'devices', 'quarantine', 'people', 'audit', 'erase',
              'decide']
    WHEN 'inspector' THEN CASE WHEN province IS NULL
        THEN ARRAY['read', 'write', 'register', 'devices', 'personal', 'quarantine', 'decide']
        ELSE ARRAY['read', 'write', 'register', 'devices', 'personal', 'decide'] END
    WHEN 'operator' THEN ARRAY['read', 'write', 'devices', 'personal', 'erase', 'answer']
    WHEN 'provider' THEN ARRAY['devices']
    WHEN 'reader' THEN ARRAY['read', 'devices']
    ELSE ARRAY[]::text[] END;

-- Who the caller is in a review: a key of a person is that person.
CREATE FUNCTION scope_author()
RETURNS TABLE (actor text, role text, operator_id integer, province text, person_id integer)
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN h.person_id IS NULL THEN 'key ' || h.id || ' ' || h.name
                ELSE 'person ' || (SELECT p.username FROM people p WHERE p.id = h.person_id) END,
           h.role, h.operator_id, h.province, h.person_id
    FROM holder_of(scope_digest()) h;
END;

CREATE FUNCTION scope_takes_part() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN scope_can('answer') OR scope_can('decide');

-- Nobody says who somebody else is: it follows from the caller.
CREATE FUNCTION sign_review() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    author record;
BEGIN
    SELECT * INTO author FROM scope_author();
    IF FOUND THEN
        NEW.actor := author.actor;
        NEW.role := author.role;
        NEW.operator_id := author.operator_id;
        NEW.province := author.province;
        NEW.person_id := author.person_id;
    END IF;
    NEW.at := clock_timestamp();
    NEW.proposed_by := NULL;
    IF NEW.act IN ('agreed', 'refused', 'withdrawn') THEN
        SELECT r.person_id INTO NEW.proposed_by
        FROM violations v JOIN violation_reviews r ON r.violation_id = v.id AND r.number = v.proposal
        WHERE v.id = NEW.violation_id AND (r.step, r.to_state) = (NEW.step, NEW.to_state);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sign BEFORE INSERT ON violation_reviews
    FOR EACH ROW EXECUTE FUNCTION sign_review();

-- The step's effect, in the step's own statement. It fails where the violation is not any more as the
-- one who took the step had read it.
CREATE FUNCTION apply_review() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    has_effect boolean := NEW.act IN ('taken', 'agreed');
BEGIN
    UPDATE violations v SET
        review = CASE WHEN has_effect THEN NEW.to_state ELSE v.review END,
        review_number = NEW.number,
        -- An appeal judges nothing: the facts wait on.
        revised_under_review = v.revised_under_review AND (NEW.step = 'appeal' OR NOT has_effect),
        proposal = CASE WHEN NEW.act = 'proposed' THEN NEW.number
                        WHEN NEW.step = 'acknowledge' THEN v.proposal END
    WHERE v.id = NEW.violation_id AND v.review = NEW.from_state AND v.version = NEW.version
      AND v.review_number = NEW.number - 1
      AND (NEW.from_state <> NEW.to_state OR v.revised_under_review);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the violation is not any more as it was read'
            USING ERRCODE = 'serialization_failure';
    END IF;
    IF NEW.from_state = 'appealed' AND EXISTS (
        SELECT FROM violation_reviews r
        WHERE r.violation_id = NEW.violation_id AND r.step = 'confirm'
          AND r.act IN ('taken', 'agreed') AND r.number < NEW.number
          AND NEW.person_id IN (r.person_id, r.proposed_by)
    ) THEN
        RAISE EXCEPTION 'an appeal is decided by somebody who did not confirm the violation'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER apply AFTER INSERT ON violation_reviews
    FOR EACH ROW EXECUTE FUNCTION apply_review();

CREATE FUNCTION refuse_review_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'reviews are only ever added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE ON violation_reviews
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_review_change();
CREATE TRIGGER unchanged BEFORE UPDATE ON violation_attachments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_review_change();

-- A file counts as something that happened to the review: who reads before it decides after it.
CREATE FUNCTION sign_attachment() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    author record;
BEGIN
    SELECT * INTO author FROM scope_author();
    IF FOUND THEN
        NEW.actor := author.actor;
        NEW.role := author.role;
        NEW.operator_id := author.operator_id;
        NEW.person_id := author.person_id;
    END IF;
    NEW.added_at := clock_timestamp();
    UPDATE violations v SET review_number = v.review_number + 1 WHERE v.id = NEW.violation_id
    RETURNING v.review_number INTO NEW.number;
    RETURN NEW;
END $$;
CREATE TRIGGER sign BEFORE INSERT ON violation_attachments
    FOR EACH ROW EXECUTE FUNCTION sign_attachment();

CREATE FUNCTION count_attachment_gone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE violations v SET review_number = v.review_number + 1 WHERE v.id = OLD.violation_id;
    RETURN NULL;
END $$;
CREATE TRIGGER gone AFTER DELETE ON violation_attachments
    FOR EACH ROW EXECUTE FUNCTION count_attachment_gone();

-- Steps as the caller may see them: what was written is for those who take part, and an operator
-- learns which authority decided, not the names of its people.
CREATE VIEW visible_reviews WITH (security_barrier) AS
SELECT r.violation_id, r.number, r.at, r.act, r.step, r.from_state, r.to_state, r.version, r.reason,
       CASE WHEN (SELECT scope_takes_part()) THEN r.text END AS text,
       CASE WHEN (SELECT scope_can('decide'))
                 OR r.operator_id = ANY ((SELECT scope_operators())::integer[])
            THEN r.actor END AS actor,
       r.role, r.operator_id, r.province,
       CASE WHEN (SELECT scope_can('decide')) THEN r.person_id END AS person_id,
       CASE WHEN (SELECT scope_can('decide')) THEN r.proposed_by END AS proposed_by
FROM violation_reviews r
WHERE (SELECT scope_is_national())
   OR EXISTS (SELECT FROM violations v JOIN vehicles h ON h.id = v.vehicle_id
              WHERE v.id = r.violation_id
                AND h.operator_id = ANY ((SELECT scope_operators())::integer[]));

-- Grants ---------------------------------------------------------------------------------------

REVOKE EXECUTE ON FUNCTION scope_author() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION scope_author()
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;
GRANT SELECT ON visible_reviews TO hanhtrinh_api;
GRANT INSERT (violation_id, number, act, step, from_state, to_state, version, reason, text)
    ON violation_reviews TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;
GRANT SELECT, INSERT (violation_id, name, type, bytes, sha256, content), DELETE
    ON violation_attachments TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator;

ALTER TABLE review_moves ENABLE ROW LEVEL SECURITY;
ALTER TABLE violation_reviews ENABLE ROW LEVEL SECURITY;
CREATE POLICY made ON violation_reviews FOR INSERT
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator
    WITH CHECK ((SELECT scope_can(CASE WHEN step IN ('acknowledge', 'appeal') THEN 'answer'
                                       ELSE 'decide' END))
                AND EXISTS (SELECT FROM violations v WHERE v.id = violation_id));

ALTER TABLE violation_attachments ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON violation_attachments FOR SELECT
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator
    USING ((SELECT scope_takes_part())
           AND EXISTS (SELECT FROM violations v WHERE v.id = violation_id));
CREATE POLICY made ON violation_attachments FOR INSERT
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator
    WITH CHECK ((SELECT scope_takes_part())
                AND EXISTS (SELECT FROM violations v WHERE v.id = violation_id));
-- Taken back by whoever added it, as long as no step leans on it.
CREATE POLICY taken_back ON violation_attachments FOR DELETE
    TO hanhtrinh_administrator, hanhtrinh_inspector, hanhtrinh_operator
    USING ((SELECT scope_takes_part())
           AND actor = (SELECT a.actor FROM scope_author() a)
           AND NOT EXISTS (SELECT FROM visible_reviews r
                           WHERE r.violation_id = violation_attachments.violation_id
                             AND r.number > violation_attachments.number));
