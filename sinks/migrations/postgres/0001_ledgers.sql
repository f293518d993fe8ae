-- The store of what people act on, in PostgreSQL: the tables of an SQLite store in types of its own.
--
-- Times are timestamptz, whole milliseconds; in an SQLite store they are numbers of ms in columns ending in _ms.
-- The views ending in _iso give what they give there, column for column. What is JSON is `json`, which keeps it to the
-- letter: hashes are of the text. Names are in the order of their bytes (collation "C"), as there.
--
-- Each row carries the epoch that wrote it. Rows arrive in two steps: `prepare` puts an epoch's rows into the staged_
-- tables, `commit` moves them to the tables proper and notes the epoch, both in one transaction each. So a crash
-- between the two loses nothing, and a repeated commit finds its epoch.

CREATE TABLE epochs (
    epoch     bigint PRIMARY KEY,
    row_count bigint NOT NULL,
    row_hash  text   NOT NULL,
    resume_at bigint NOT NULL
);
COMMENT ON TABLE epochs IS 'Stretches of the journal that brought rows';
COMMENT ON COLUMN epochs.row_hash IS 'Tells a repeat from another journal''s epoch of the same number';
COMMENT ON COLUMN epochs.resume_at IS 'The first journal entry that is not in the tables yet';

CREATE TABLE exceptions (
    id              text COLLATE "C" NOT NULL,
    row_id          text NOT NULL,
    rule            text NOT NULL,
    rule_version    text NOT NULL,
    severity        text NOT NULL,
    site            text COLLATE "C" NOT NULL,
    bay             text COLLATE "C",
    tool            text COLLATE "C",
    job             text COLLATE "C",
    step            text COLLATE "C",
    raised          timestamptz NOT NULL,
    cleared         timestamptz,
    state           text NOT NULL,
    value           double precision,
    limit_min       double precision,
    limit_max       double precision,
    message         text NOT NULL,
    evidence        json NOT NULL,
    operator_state  text,
    operator_since  timestamptz,
    actor           text,
    operator_reason text,
    shelved_until   timestamptz,
    epoch           bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (id)
);
COMMENT ON TABLE exceptions IS 'The newest state of each exception';
COMMENT ON COLUMN exceptions.rule_version IS 'First 12 hex digits of the hash of the rule';
COMMENT ON COLUMN exceptions.severity IS 'critical high medium low';
COMMENT ON COLUMN exceptions.cleared IS 'Null while it is open';
COMMENT ON COLUMN exceptions.value IS 'In the unit of the rule''s metric, as are the limits';
COMMENT ON COLUMN exceptions.evidence IS 'The rows that it was raised from';
COMMENT ON COLUMN exceptions.operator_state IS 'What people have done about it; null where nobody has done anything';
-- "What is open, worst first?" Few are open at any time, so the index stays small.
CREATE INDEX exceptions_open ON exceptions (severity, raised) WHERE cleared IS NULL;
CREATE INDEX exceptions_by_job ON exceptions (site, job, raised);
CREATE INDEX exceptions_by_time ON exceptions (raised);

CREATE TABLE usage (
    site     text COLLATE "C" NOT NULL,
    job      text COLLATE "C" NOT NULL,
    step     text COLLATE "C" NOT NULL,
    resource text COLLATE "C" NOT NULL,
    row_id   text NOT NULL,
    bay      text COLLATE "C" NOT NULL,
    quantity double precision NOT NULL,
    unit     text,
    planned  double precision,
    readings bigint NOT NULL,
    started  timestamptz NOT NULL,
    ended    timestamptz NOT NULL,
    revision bigint NOT NULL,
    final    boolean NOT NULL,
    epoch    bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, step, resource)
);
COMMENT ON TABLE usage IS 'The newest revision of what a step used of a resource';
COMMENT ON COLUMN usage.quantity IS 'In `unit`';
COMMENT ON COLUMN usage.unit IS 'A UCUM code';
COMMENT ON COLUMN usage.planned IS 'In `unit`';
COMMENT ON COLUMN usage.readings IS 'How many there were';
COMMENT ON COLUMN usage.final IS 'Whether no further revision is expected';
CREATE INDEX usage_by_resource ON usage (resource, ended);
CREATE INDEX usage_by_time ON usage (ended);

CREATE TABLE steps (
    row_id     text NOT NULL,
    message    bigint NOT NULL,
    ts         timestamptz NOT NULL,
    arrived    timestamptz NOT NULL,
    site       text COLLATE "C" NOT NULL,
    bay        text COLLATE "C" NOT NULL,
    job        text COLLATE "C" NOT NULL,
    step       text COLLATE "C" NOT NULL,
    operation  text COLLATE "C",
    technician text COLLATE "C",
    event      text NOT NULL,
    seq        bigint,
    elapsed_s  double precision,
    standard_s double precision,
    "overlaps" text,
    epoch      bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (row_id)
);
COMMENT ON TABLE steps IS 'Every step event, once';
COMMENT ON COLUMN steps.message IS 'Its number in the journal';
COMMENT ON COLUMN steps.ts IS 'When it happened';
COMMENT ON COLUMN steps.elapsed_s IS 'Seconds';
COMMENT ON COLUMN steps.standard_s IS 'Seconds, as the job card has them';
CREATE INDEX steps_by_bay ON steps (site, bay, ts);
CREATE INDEX steps_by_job ON steps (site, job, ts);

CREATE TABLE checks (
    site       text COLLATE "C" NOT NULL,
    job        text COLLATE "C" NOT NULL,
    step       text COLLATE "C" NOT NULL,
    metric     text COLLATE "C" NOT NULL,
    joint      text COLLATE "C",
    pset       text COLLATE "C",
    row_id     text NOT NULL,
    bay        text COLLATE "C" NOT NULL,
    operation  text COLLATE "C",
    technician text COLLATE "C",
    class      text,
    expected   bigint,
    counted    bigint,
    within     bigint,
    missing    bigint,
    surplus    bigint,
    spec_min   double precision,
    spec_max   double precision,
    unit       text,
    started    timestamptz NOT NULL,
    ended      timestamptz NOT NULL,
    revision   bigint NOT NULL,
    final      boolean NOT NULL,
    epoch      bigint NOT NULL REFERENCES epochs (epoch)
);
COMMENT ON TABLE checks IS 'The newest revision of each item that a job card expects of a step';
COMMENT ON COLUMN checks.joint IS 'Null: the item is of all joints';
COMMENT ON COLUMN checks.pset IS 'Null: of all parameter sets';
COMMENT ON COLUMN checks.bay IS 'Of the newest run';
COMMENT ON COLUMN checks.technician IS 'Of the newest run';
COMMENT ON COLUMN checks.expected IS 'Null where the card names no count';
COMMENT ON COLUMN checks.counted IS 'Readings joined to the step; null where some had passed before the card came';
COMMENT ON COLUMN checks.within IS 'Those of them inside spec_min and spec_max';
COMMENT ON COLUMN checks.missing IS 'Good ones that lack';
COMMENT ON COLUMN checks.surplus IS 'Readings beyond `expected`';
COMMENT ON COLUMN checks.spec_min IS 'In `unit`';
COMMENT ON COLUMN checks.spec_max IS 'In `unit`';
COMMENT ON COLUMN checks.unit IS 'A UCUM code';
COMMENT ON COLUMN checks.final IS 'Whether no further revision is expected';
-- The key. Nulls would all differ from each other.
CREATE UNIQUE INDEX checks_key ON checks (
    site, job, step, metric, coalesce('=' || joint, ''), coalesce('=' || pset, '')
);
-- "What was left out?" Little is, so the index stays small.
CREATE INDEX checks_missing ON checks (ended) WHERE missing > 0;
CREATE INDEX checks_by_time ON checks (ended);

-- Durable rows of epochs that are not committed; 0 is the epoch in the making. Same columns, no keys: those hold
-- where the rows are going.
CREATE TABLE staged_exceptions (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE exceptions);
COMMENT ON TABLE staged_exceptions IS 'Of Andon alone: rows on their way into exceptions';
CREATE TABLE staged_usage (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE usage);
COMMENT ON TABLE staged_usage IS 'Of Andon alone: rows on their way into usage';
CREATE TABLE staged_steps (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE steps);
COMMENT ON TABLE staged_steps IS 'Of Andon alone: rows on their way into steps';
CREATE TABLE staged_checks (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE checks);
COMMENT ON TABLE staged_checks IS 'Of Andon alone: rows on their way into checks';

CREATE VIEW exceptions_iso AS
SELECT
    id, row_id, rule, rule_version, severity, site, bay, tool, job, step,
    (extract(epoch FROM raised) * 1000)::bigint AS raised_ms,
    (extract(epoch FROM cleared) * 1000)::bigint AS cleared_ms,
    state, value, limit_min, limit_max, message, evidence, epoch, operator_state,
    (extract(epoch FROM operator_since) * 1000)::bigint AS operator_since_ms,
    actor, operator_reason,
    (extract(epoch FROM shelved_until) * 1000)::bigint AS shelved_until_ms,
    to_char(raised AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS raised,
    to_char(cleared AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS cleared
FROM exceptions;
COMMENT ON VIEW exceptions_iso IS 'As in an SQLite store: times in ms since 1970, and as text';

CREATE VIEW usage_iso AS
SELECT
    site, job, step, resource, row_id, bay, quantity, unit, planned, readings,
    (extract(epoch FROM started) * 1000)::bigint AS started_ms,
    (extract(epoch FROM ended) * 1000)::bigint AS ended_ms,
    revision, final::int AS final, epoch,
    to_char(started AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS started,
    to_char(ended AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ended
FROM usage;
COMMENT ON VIEW usage_iso IS 'As in an SQLite store: times in ms since 1970, and as text';

CREATE VIEW steps_iso AS
SELECT
    row_id, message,
    (extract(epoch FROM ts) * 1000)::bigint AS ts_ms,
    (extract(epoch FROM arrived) * 1000)::bigint AS arrived_ms,
    site, bay, job, step, operation, technician, event, seq, elapsed_s, standard_s, "overlaps", epoch,
    to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ts,
    to_char(arrived AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS arrived
FROM steps;
COMMENT ON VIEW steps_iso IS 'As in an SQLite store: times in ms since 1970, and as text';

CREATE VIEW checks_iso AS
SELECT
    site, job, step, metric, joint, pset, row_id, bay, operation, technician, class, expected, counted, within,
    missing, surplus, spec_min, spec_max, unit,
    (extract(epoch FROM started) * 1000)::bigint AS started_ms,
    (extract(epoch FROM ended) * 1000)::bigint AS ended_ms,
    revision, final::int AS final, epoch,
    to_char(started AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS started,
    to_char(ended AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ended
FROM checks;
COMMENT ON VIEW checks_iso IS 'As in an SQLite store: times in ms since 1970, and as text';
