-- The store of what people act on: exceptions, usage, steps.
--
-- Times are INTEGER milliseconds since 1970 UTC (columns ending in _ms); the views ending in _iso show
-- them as text. Each row carries the epoch that wrote it. Rows arrive in two steps: `prepare` puts an
-- epoch's rows into the staged_ tables, `commit` moves them to the tables proper and notes the epoch, both
-- in one transaction each. So a crash between the two loses nothing, and a repeated commit finds its epoch.

-- Epochs that brought rows. row_hash tells a repeat from another journal's epoch of the same number; resume_at
-- is the first journal entry that is not in the tables yet.
CREATE TABLE epochs (
    epoch     INTEGER PRIMARY KEY,
    row_count INTEGER NOT NULL,
    row_hash  TEXT    NOT NULL,
    resume_at INTEGER NOT NULL
) STRICT;

-- The newest state of each exception.
CREATE TABLE exceptions (
    id           TEXT    PRIMARY KEY,
    row_id       TEXT    NOT NULL,
    rule         TEXT    NOT NULL,
    rule_version TEXT    NOT NULL,
    severity     TEXT    NOT NULL,
    site         TEXT    NOT NULL,
    bay          TEXT,
    tool         TEXT,
    job          TEXT,
    step         TEXT,
    raised_ms    INTEGER NOT NULL,
    cleared_ms   INTEGER,
    state        TEXT    NOT NULL,
    value        REAL,
    limit_min    REAL,
    limit_max    REAL,
    message      TEXT    NOT NULL,
    evidence     TEXT    NOT NULL,
    epoch        INTEGER NOT NULL REFERENCES epochs (epoch)
) STRICT;

-- "What is open, worst first?" Few are open at any time, so the index stays small.
CREATE INDEX exceptions_open ON exceptions (severity, raised_ms) WHERE cleared_ms IS NULL;
CREATE INDEX exceptions_by_job ON exceptions (site, job, raised_ms);
CREATE INDEX exceptions_by_time ON exceptions (raised_ms);

-- The newest revision of what a step used of a resource.
CREATE TABLE usage (
    site       TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    step       TEXT    NOT NULL,
    resource   TEXT    NOT NULL,
    row_id     TEXT    NOT NULL,
    bay        TEXT    NOT NULL,
    quantity   REAL    NOT NULL,
    unit       TEXT,
    planned    REAL,
    readings   INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    final      INTEGER NOT NULL,
    epoch      INTEGER NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, step, resource)
) STRICT;

CREATE INDEX usage_by_resource ON usage (resource, ended_ms);
CREATE INDEX usage_by_time ON usage (ended_ms);

-- Every step event, once.
CREATE TABLE steps (
    row_id     TEXT    PRIMARY KEY,
    message    INTEGER NOT NULL,
    ts_ms      INTEGER NOT NULL,
    arrived_ms INTEGER NOT NULL,
    site       TEXT    NOT NULL,
    bay        TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    step       TEXT    NOT NULL,
    operation  TEXT,
    technician TEXT,
    event      TEXT    NOT NULL,
    seq        INTEGER,
    elapsed_s  REAL,
    standard_s REAL,
    overlaps   TEXT,
    epoch      INTEGER NOT NULL REFERENCES epochs (epoch)
) STRICT;

CREATE INDEX steps_by_bay ON steps (site, bay, ts_ms);
CREATE INDEX steps_by_job ON steps (site, job, ts_ms);

-- Durable rows of epochs that are not committed; 0 is the epoch in the making. Same columns, no rules:
-- those hold where the rows are going.
CREATE TABLE staged_exceptions (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    id, row_id, rule, rule_version, severity, site, bay, tool, job, step, raised_ms, cleared_ms, state,
    value, limit_min, limit_max, message, evidence
);
CREATE TABLE staged_usage (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    site, job, step, resource, row_id, bay, quantity, unit, planned, readings, started_ms, ended_ms,
    revision, final
);
CREATE TABLE staged_steps (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    row_id, message, ts_ms, arrived_ms, site, bay, job, step, operation, technician, event, seq, elapsed_s,
    standard_s, overlaps
);

CREATE VIEW exceptions_iso AS
SELECT *,
    strftime('%Y-%m-%dT%H:%M:%fZ', raised_ms / 1000.0, 'unixepoch') AS raised,
    strftime('%Y-%m-%dT%H:%M:%fZ', cleared_ms / 1000.0, 'unixepoch') AS cleared
FROM exceptions;

CREATE VIEW usage_iso AS
SELECT *,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_ms / 1000.0, 'unixepoch') AS ended
FROM usage;

CREATE VIEW steps_iso AS
SELECT *,
    strftime('%Y-%m-%dT%H:%M:%fZ', ts_ms / 1000.0, 'unixepoch') AS ts,
    strftime('%Y-%m-%dT%H:%M:%fZ', arrived_ms / 1000.0, 'unixepoch') AS arrived
FROM steps;
