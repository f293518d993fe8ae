-- What meters, dispensers and tanks showed day by day, and where it went.

-- The newest revision of each balance. A day begins at started_ms, by the calendar of its site.
CREATE TABLE balances (
    site           TEXT    NOT NULL,
    bay            TEXT,                -- null: of the site as a whole
    tool           TEXT,
    metric         TEXT    NOT NULL,
    resource       TEXT    NOT NULL,
    unit           TEXT,                -- a UCUM code, of all quantities
    local_date     TEXT    NOT NULL,    -- of the site's calendar
    row_id         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,    -- amount counter level
    started_ms     INTEGER NOT NULL,
    ended_ms       INTEGER NOT NULL,
    meter_start    REAL,                -- of a register or a level
    meter_end      REAL,
    resets         INTEGER NOT NULL,    -- how often it was set back, or is another meter
    reset_quantity REAL    NOT NULL,    -- by how much in all
    metered        REAL    NOT NULL,    -- drawn, by the meter's own word
    booked         REAL    NOT NULL,    -- in books of steps
    unassigned     REAL    NOT NULL,    -- in no step's
    difference     REAL    NOT NULL,    -- what is left; of a tank lost, or below 0 delivered
    readings       INTEGER NOT NULL,
    revision       INTEGER NOT NULL,
    final          INTEGER NOT NULL,
    epoch          INTEGER NOT NULL REFERENCES epochs (epoch)
) STRICT;

-- The key. Nulls would all differ from each other.
CREATE UNIQUE INDEX balances_key ON balances (
    site, metric, resource, started_ms, ifnull('=' || bay, ''), ifnull('=' || tool, ''), ifnull('=' || unit, '')
);
CREATE INDEX balances_by_date ON balances (local_date, site);
-- "Where did something get lost?" It is rare, so the index stays small.
CREATE INDEX balances_off ON balances (local_date) WHERE difference <> 0;

CREATE TABLE staged_balances (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    site, bay, tool, metric, resource, unit, local_date, row_id, kind, started_ms, ended_ms,
    meter_start, meter_end, resets, reset_quantity, metered, booked, unassigned, difference, readings, revision, final
);

CREATE VIEW balances_iso AS
SELECT *,
    strftime('%Y-%m-%dT%H:%M:%fZ', started_ms / 1000.0, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', ended_ms / 1000.0, 'unixepoch') AS ended
FROM balances;
