-- What the workshop's functions say: jobs and their steps, inspection records, lines of bills, queues.
--
-- The keys (site, job) and (site, job, step) are those of job_cards and job_steps, and are not enforced: the tables of a
-- standby that begins at a checkpoint hold what comes from there on, so that a step may be there and its job not.

-- The newest word on each job.
CREATE TABLE job_cards (
    site         TEXT    NOT NULL,
    job          TEXT    NOT NULL,
    row_id       TEXT    NOT NULL,
    ts_ms        INTEGER NOT NULL,  -- of the newest change
    customer     TEXT,
    vehicle      TEXT,
    promised_ms  INTEGER,
    state        TEXT    NOT NULL,  -- accepted started ready released
    steps        INTEGER NOT NULL,
    steps_closed INTEGER NOT NULL,
    accepted_ms  INTEGER NOT NULL,
    started_ms   INTEGER,
    ready_ms     INTEGER,
    released_ms  INTEGER,
    released_by  TEXT,
    reason       TEXT,              -- what was open when it was handed over
    revision     INTEGER NOT NULL,
    epoch        INTEGER NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job)
) STRICT;

-- "What is in the shop, most urgent first?" Little is, so the index stays small.
CREATE INDEX job_cards_open ON job_cards (site, promised_ms) WHERE released_ms IS NULL;
CREATE INDEX job_cards_by_customer ON job_cards (customer, accepted_ms);

-- The newest word on each step of a job.
CREATE TABLE job_steps (
    site        TEXT    NOT NULL,
    job         TEXT    NOT NULL,
    step        TEXT    NOT NULL,
    row_id      TEXT    NOT NULL,
    ts_ms       INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL,   -- in the order of the card, from 1
    operation   TEXT,
    skills      TEXT,
    state       TEXT    NOT NULL,   -- planned ready assigned active paused done qa_hold reworked closed
    bay         TEXT,
    technician  TEXT,
    reason      TEXT,               -- why it is paused, held, or closed without being done
    assigned_ms INTEGER,
    started_ms  INTEGER,            -- of the newest run
    ended_ms    INTEGER,
    worked_s    REAL    NOT NULL,   -- over all runs, pauses subtracted
    standard_s  REAL,
    revision    INTEGER NOT NULL,
    epoch       INTEGER NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, step)
) STRICT;

CREATE INDEX job_steps_open ON job_steps (site, state) WHERE state <> 'closed';
CREATE INDEX job_steps_by_technician ON job_steps (technician, started_ms);

-- The newest inspection record of each step.
CREATE TABLE inspections (
    site       TEXT    NOT NULL,
    job        TEXT    NOT NULL,
    step       TEXT    NOT NULL,
    row_id     TEXT    NOT NULL,
    ts_ms      INTEGER NOT NULL,
    bay        TEXT,
    technician TEXT,
    classes    TEXT,
    verdict    TEXT    NOT NULL,    -- open passed unsigned failed accepted
    reason     TEXT,
    missing    INTEGER NOT NULL,    -- good readings that lack
    evidence   TEXT    NOT NULL,    -- JSON: checks, and the values measured
    signed_by  TEXT,                -- as they said themselves
    signed_ms  INTEGER,
    note       TEXT,
    revision   INTEGER NOT NULL,
    epoch      INTEGER NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, step)
) STRICT;

CREATE INDEX inspections_open ON inspections (site, ts_ms) WHERE verdict IN ('unsigned', 'failed');

-- Lines of bills. amount is quantity times price, rounded to the hundredth.
CREATE TABLE invoice_lines (
    site      TEXT    NOT NULL,
    job       TEXT    NOT NULL,
    line      INTEGER NOT NULL,
    row_id    TEXT    NOT NULL,
    ts_ms     INTEGER NOT NULL,
    kind      TEXT    NOT NULL,     -- labour resource amendment
    step      TEXT    NOT NULL,
    item      TEXT    NOT NULL,     -- the operation, or the resource
    quantity  REAL    NOT NULL,
    unit      TEXT,
    price     REAL,                 -- of a unit
    amount    REAL,
    currency  TEXT    NOT NULL,
    state     TEXT    NOT NULL,     -- posted held
    reason    TEXT,                 -- why it is held
    posted_by TEXT,
    note      TEXT,
    revision  INTEGER NOT NULL,
    epoch     INTEGER NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, line)
) STRICT;

CREATE INDEX invoice_lines_held ON invoice_lines (site, ts_ms) WHERE state = 'held';
CREATE INDEX invoice_lines_by_time ON invoice_lines (ts_ms);

-- Items of queues: billing, notifications, audit. Each carries the hash of the one before it.
CREATE TABLE queue_items (
    queue    TEXT    NOT NULL,
    number   INTEGER NOT NULL,      -- from 1, without a gap
    row_id   TEXT    NOT NULL,
    ts_ms    INTEGER NOT NULL,
    site     TEXT,
    job      TEXT,
    kind     TEXT    NOT NULL,
    key      TEXT    NOT NULL,      -- names it for whoever must not do the same twice
    body     TEXT    NOT NULL,      -- JSON
    previous TEXT    NOT NULL,
    hash     TEXT    NOT NULL,
    epoch    INTEGER NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (queue, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX queue_items_by_job ON queue_items (site, job, queue, number);

CREATE TABLE staged_job_cards (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    site, job, row_id, ts_ms, customer, vehicle, promised_ms, state, steps, steps_closed, accepted_ms, started_ms,
    ready_ms, released_ms, released_by, reason, revision
);
CREATE TABLE staged_job_steps (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    site, job, step, row_id, ts_ms, ordinal, operation, skills, state, bay, technician, reason, assigned_ms,
    started_ms, ended_ms, worked_s, standard_s, revision
);
CREATE TABLE staged_inspections (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    site, job, step, row_id, ts_ms, bay, technician, classes, verdict, reason, missing, evidence, signed_by,
    signed_ms, note, revision
);
CREATE TABLE staged_invoice_lines (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    site, job, line, row_id, ts_ms, kind, step, item, quantity, unit, price, amount, currency, state, reason,
    posted_by, note, revision
);
CREATE TABLE staged_queue_items (
    position INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,
    queue, number, row_id, ts_ms, site, job, kind, key, body, previous, hash
);

CREATE VIEW job_steps_waiting AS
SELECT s.site, s.job, s.step, s.operation, s.skills, s.state, c.promised_ms
FROM job_steps s JOIN job_cards c ON c.site = s.site AND c.job = s.job
WHERE s.state IN ('ready', 'reworked') AND c.released_ms IS NULL
ORDER BY c.promised_ms IS NULL, c.promised_ms, c.accepted_ms, s.ordinal;

CREATE VIEW invoice_totals AS
SELECT site, job, currency, sum(CASE WHEN state = 'posted' THEN amount ELSE 0 END) AS posted_amount,
    sum(state = 'held') AS held_lines
FROM invoice_lines GROUP BY site, job, currency;
