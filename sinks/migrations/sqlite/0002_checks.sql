-- What steps measured of what their job cards expect.

-- The newest revision of each expected item of a step. expected is null where the card names no count; counted,
-- within, missing and surplus are null where readings had passed before the card came.
CREATE TABLE checks (
    site       TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    step       TEXT    NOT NULL,
    metric     TEXT    NOT NULL,
    joint      TEXT,              -- null: the item is of all joints
    pset       TEXT,              -- null: of all parameter sets
    row_id     TEXT    NOT NULL,
    bay        TEXT    NOT NULL,  -- of the newest run
    operation  TEXT,
    technician TEXT,              -- of the newest run
    class      TEXT,
    expected   INTEGER,
    counted    INTEGER,           -- readings joined to the step
    within     INTEGER,           -- those of them inside spec_min and spec_max
    missing    INTEGER,           -- good ones that lack
    surplus    INTEGER,           -- readings beyond expected
    spec_min   REAL,
    spec_max   REAL,
    unit       TEXT,
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER NOT NULL,
    revision   INTEGER NOT NULL,
    final      INTEGER NOT NULL,
    epoch      INTEGER NOT NULL REFERENCES epochs (epoch)
) STRICT;

-- The key. Nulls would all differ from each other.
CREATE UNIQUE INDEX checks_key ON checks (site, job, step, metric, ifnull('=' || joint, ''), ifnull('=' || pset, ''));
-- "What was left out?" Little is, so the index stays small.
CREATE INDEX checks_missing ON checks (ended_ms) WHERE missing > 0;
CREATE INDEX checks_by_time ON checks (ended_ms);

CREATE TABLE staged_checks (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    site, job, step, metric, joint, pset, row_id, bay, operation, technician, class, expected, counted, within,
    missing, surplus, spec_min, spec_max, unit, started_ms, ended_ms, revision, final
);

CREATE VIEW checks_iso AS
SELECT *,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_ms / 1000.0, 'unixepoch') AS ended
FROM checks;
