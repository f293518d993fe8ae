-- What was used of which lot, by whom, and what says so.

-- The newest revision of each row: of a step, or without job and step of a bay and a day, local_date, for which no step accounts.
CREATE TABLE ledger (
    id          TEXT    PRIMARY KEY,     -- names the row in all its revisions
    row_id      TEXT    NOT NULL,
    site        TEXT    NOT NULL,
    bay         TEXT    NOT NULL,
    job         TEXT,
    step        TEXT,
    resource    TEXT    NOT NULL,
    lot         TEXT,                    -- null: nobody named one
    quantity    REAL    NOT NULL,
    unit        TEXT,                    -- a UCUM code, of all quantities
    from_value  REAL,                    -- what the register showed before the first use
    to_value    REAL,                    -- and behind the last
    first_ts_ms INTEGER NOT NULL,        -- of the uses
    last_ts_ms  INTEGER NOT NULL,
    readings    INTEGER NOT NULL,        -- how many there were, bookings by hand among them
    evidence    TEXT    NOT NULL,        -- JSON: ordinals of their messages, the first eight and the last eight
    local_date  TEXT,                    -- of the site's calendar; null of a step
    started_ms  INTEGER NOT NULL,        -- of the step or the day
    ended_ms    INTEGER NOT NULL,
    state       TEXT    NOT NULL,        -- held posted amended
    revision    INTEGER NOT NULL,
    final       INTEGER NOT NULL,
    epoch       INTEGER NOT NULL REFERENCES epochs (epoch)
) STRICT;

CREATE INDEX ledger_by_job ON ledger (job, step);
-- "Which jobs got this lot?"
CREATE INDEX ledger_by_lot ON ledger (lot, last_ts_ms, id) WHERE lot IS NOT NULL;
CREATE INDEX ledger_by_resource ON ledger (resource, last_ts_ms, id);
CREATE INDEX ledger_by_time ON ledger (last_ts_ms, id);
-- "What does nobody account for?"
CREATE INDEX ledger_unassigned ON ledger (local_date, site) WHERE job IS NULL;

CREATE TABLE staged_ledger (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    id, row_id, site, bay, job, step, resource, lot, quantity, unit, from_value, to_value, first_ts_ms, last_ts_ms,
    readings, evidence, local_date, started_ms, ended_ms, state, revision, final
);

CREATE VIEW ledger_iso AS
SELECT *,
    strftime('%Y-%m-%dT%H:%M:%fZ', first_ts_ms / 1000.0, 'unixepoch') AS first_ts,
    strftime('%Y-%m-%dT%H:%M:%fZ', last_ts_ms / 1000.0, 'unixepoch') AS last_ts,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_ms / 1000.0, 'unixepoch') AS ended
FROM ledger;
