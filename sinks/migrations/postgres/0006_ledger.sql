-- What was used of which lot, by whom, and what says so.
CREATE TABLE ledger (
    id         text COLLATE "C" PRIMARY KEY,
    row_id     text NOT NULL,
    site       text COLLATE "C" NOT NULL,
    bay        text COLLATE "C" NOT NULL,
    job        text COLLATE "C",
    step       text COLLATE "C",
    resource   text COLLATE "C" NOT NULL,
    lot        text COLLATE "C",
    quantity   double precision NOT NULL,
    unit       text,
    from_value double precision,
    to_value   double precision,
    first_ts   timestamptz NOT NULL,
    last_ts    timestamptz NOT NULL,
    readings   bigint NOT NULL,
    evidence   json NOT NULL,
    local_date text COLLATE "C",
    started    timestamptz NOT NULL,
    ended      timestamptz NOT NULL,
    state      text NOT NULL,
    revision   bigint NOT NULL,
    final      boolean NOT NULL,
    epoch      bigint NOT NULL REFERENCES epochs (epoch)
);
COMMENT ON TABLE ledger IS 'The newest revision of what was used of a lot: by a step, or by none on a bay and a day';
COMMENT ON COLUMN ledger.id IS 'Names the row in all its revisions';
COMMENT ON COLUMN ledger.job IS 'Null: no step accounts for it';
COMMENT ON COLUMN ledger.lot IS 'Null: nobody named one';
COMMENT ON COLUMN ledger.quantity IS 'In `unit`';
COMMENT ON COLUMN ledger.unit IS 'A UCUM code, of all quantities';
COMMENT ON COLUMN ledger.from_value IS 'What the register showed before the first use, in `unit`';
COMMENT ON COLUMN ledger.to_value IS 'What it showed behind the last, in `unit`';
COMMENT ON COLUMN ledger.first_ts IS 'Of the uses';
COMMENT ON COLUMN ledger.readings IS 'How many uses there were, bookings by hand among them';
COMMENT ON COLUMN ledger.evidence IS 'Ordinals of their messages: the first eight and the last eight';
COMMENT ON COLUMN ledger.local_date IS 'Of the calendar of the site; null of a step';
COMMENT ON COLUMN ledger.started IS 'Of the step, or of the day';
COMMENT ON COLUMN ledger.state IS 'held posted amended';
COMMENT ON COLUMN ledger.final IS 'Whether no further revision is expected';
CREATE INDEX ledger_by_job ON ledger (job, step);
-- "Which jobs got this lot?"
CREATE INDEX ledger_by_lot ON ledger (lot, last_ts, id) WHERE lot IS NOT NULL;
CREATE INDEX ledger_by_resource ON ledger (resource, last_ts, id);
CREATE INDEX ledger_by_time ON ledger (last_ts, id);
-- "What does nobody account for?"
CREATE INDEX ledger_unassigned ON ledger (local_date, site) WHERE job IS NULL;

CREATE TABLE staged_ledger (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE ledger);
COMMENT ON TABLE staged_ledger IS 'Of Andon alone: rows on their way into ledger';

CREATE VIEW ledger_iso AS
SELECT
    id, row_id, site, bay, job, step, resource, lot, quantity, unit, from_value, to_value,
    (extract(epoch FROM first_ts) * 1000)::bigint AS first_ts_ms,
    (extract(epoch FROM last_ts) * 1000)::bigint AS last_ts_ms,
    readings, evidence, local_date,
    (extract(epoch FROM started) * 1000)::bigint AS started_ms,
    (extract(epoch FROM ended) * 1000)::bigint AS ended_ms,
    state, revision, final::int AS final, epoch,
    to_char(first_ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS first_ts,
    to_char(last_ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_ts,
    to_char(started AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS started,
    to_char(ended AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ended
FROM ledger;
COMMENT ON VIEW ledger_iso IS 'As in an SQLite store: times in ms since 1970, and as text';
