-- What meters, dispensers and tanks showed day by day, and where it went.
CREATE TABLE balances (
    site           text COLLATE "C" NOT NULL,
    bay            text COLLATE "C",
    tool           text COLLATE "C",
    metric         text COLLATE "C" NOT NULL,
    resource       text COLLATE "C" NOT NULL,
    unit           text COLLATE "C",
    local_date     text COLLATE "C" NOT NULL,
    row_id         text NOT NULL,
    kind           text NOT NULL,
    started        timestamptz NOT NULL,
    ended          timestamptz NOT NULL,
    meter_start    double precision,
    meter_end      double precision,
    resets         bigint NOT NULL,
    reset_quantity double precision NOT NULL,
    metered        double precision NOT NULL,
    booked         double precision NOT NULL,
    unassigned     double precision NOT NULL,
    difference     double precision NOT NULL,
    readings       bigint NOT NULL,
    revision       bigint NOT NULL,
    final          boolean NOT NULL,
    epoch          bigint NOT NULL REFERENCES epochs (epoch)
);
COMMENT ON TABLE balances IS 'The newest revision of what a meter, dispenser or tank showed in a day and where it went';
COMMENT ON COLUMN balances.bay IS 'Null: of the site as a whole';
COMMENT ON COLUMN balances.unit IS 'A UCUM code, of all quantities';
COMMENT ON COLUMN balances.local_date IS 'Of the calendar of the site';
COMMENT ON COLUMN balances.kind IS 'amount counter level';
COMMENT ON COLUMN balances.meter_start IS 'What a register or a level showed, in `unit`';
COMMENT ON COLUMN balances.meter_end IS 'In `unit`';
COMMENT ON COLUMN balances.resets IS 'How often it was set back, or is another meter';
COMMENT ON COLUMN balances.reset_quantity IS 'By how much in all, in `unit`';
COMMENT ON COLUMN balances.metered IS 'Drawn, by the word of the meter, in `unit`';
COMMENT ON COLUMN balances.booked IS 'In books of steps, in `unit`';
COMMENT ON COLUMN balances.unassigned IS 'In those of no step, in `unit`';
COMMENT ON COLUMN balances.difference IS 'What is left, in `unit`; of a tank lost, or below 0 delivered';
COMMENT ON COLUMN balances.readings IS 'How many there were';
COMMENT ON COLUMN balances.final IS 'Whether no further revision is expected';
-- The key. Nulls would all differ from each other.
CREATE UNIQUE INDEX balances_key ON balances (
    site, metric, resource, started, coalesce('=' || bay, ''), coalesce('=' || tool, ''), coalesce('=' || unit, '')
);
CREATE INDEX balances_by_date ON balances (local_date, site);
CREATE INDEX balances_off ON balances (local_date) WHERE difference <> 0;

CREATE TABLE staged_balances (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE balances);
COMMENT ON TABLE staged_balances IS 'Of Andon alone: rows on their way into balances';

CREATE VIEW balances_iso AS
SELECT
    site, bay, tool, metric, resource, unit, local_date, row_id, kind,
    (extract(epoch FROM started) * 1000)::bigint AS started_ms,
    (extract(epoch FROM ended) * 1000)::bigint AS ended_ms,
    meter_start, meter_end, resets, reset_quantity, metered, booked, unassigned, difference, readings, revision,
    final::int AS final, epoch,
    to_char(started AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS started,
    to_char(ended AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ended
FROM balances;
COMMENT ON VIEW balances_iso IS 'As in an SQLite store: times in ms since 1970, and as text';
