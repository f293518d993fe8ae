-- What the workshop's functions say: jobs and their steps, inspection records, lines of bills, queues.
--
-- The keys (site, job) and (site, job, step) are those of job_cards and job_steps, and are not
-- enforced: the tables of a standby that begins at a checkpoint hold what comes from there on, so that a step may be
-- there and its job not.

CREATE TABLE job_cards (
    site         text COLLATE "C" NOT NULL,
    job          text COLLATE "C" NOT NULL,
    row_id       text NOT NULL,
    ts           timestamptz NOT NULL,
    customer     text,
    vehicle      text,
    promised     timestamptz,
    state        text NOT NULL,
    steps        bigint NOT NULL,
    steps_closed bigint NOT NULL,
    accepted     timestamptz NOT NULL,
    started      timestamptz,
    ready        timestamptz,
    released     timestamptz,
    released_by  text,
    reason       text,
    revision     bigint NOT NULL,
    epoch        bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job)
);
COMMENT ON TABLE job_cards IS 'The newest word on each job';
COMMENT ON COLUMN job_cards.ts IS 'Of the newest change';
COMMENT ON COLUMN job_cards.state IS 'accepted started ready released';
COMMENT ON COLUMN job_cards.steps IS 'How many it has';
COMMENT ON COLUMN job_cards.reason IS 'What was open when it was handed over';
-- "What is in the shop, most urgent first?" Little is, so the index stays small.
CREATE INDEX job_cards_open ON job_cards (site, promised) WHERE released IS NULL;
CREATE INDEX job_cards_by_customer ON job_cards (customer, accepted);

CREATE TABLE job_steps (
    site       text COLLATE "C" NOT NULL,
    job        text COLLATE "C" NOT NULL,
    step       text COLLATE "C" NOT NULL,
    row_id     text NOT NULL,
    ts         timestamptz NOT NULL,
    ordinal    bigint NOT NULL,
    operation  text COLLATE "C",
    skills     text,
    state      text NOT NULL,
    bay        text COLLATE "C",
    technician text COLLATE "C",
    reason     text,
    assigned   timestamptz,
    started    timestamptz,
    ended      timestamptz,
    worked_s   double precision NOT NULL,
    standard_s double precision,
    revision   bigint NOT NULL,
    epoch      bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, step)
);
COMMENT ON TABLE job_steps IS 'The newest word on each step of a job';
COMMENT ON COLUMN job_steps.ts IS 'Of the newest change';
COMMENT ON COLUMN job_steps.ordinal IS 'In the order of the card, from 1';
COMMENT ON COLUMN job_steps.state IS 'planned ready assigned active paused done qa_hold reworked closed';
COMMENT ON COLUMN job_steps.reason IS 'Why it is paused, held, or closed without being done';
COMMENT ON COLUMN job_steps.started IS 'Of the newest run';
COMMENT ON COLUMN job_steps.worked_s IS 'Seconds over all runs, pauses subtracted';
COMMENT ON COLUMN job_steps.standard_s IS 'Seconds, as the job card has them';
CREATE INDEX job_steps_open ON job_steps (site, state) WHERE state <> 'closed';
CREATE INDEX job_steps_by_technician ON job_steps (technician, started);

CREATE TABLE inspections (
    site       text COLLATE "C" NOT NULL,
    job        text COLLATE "C" NOT NULL,
    step       text COLLATE "C" NOT NULL,
    row_id     text NOT NULL,
    ts         timestamptz NOT NULL,
    bay        text COLLATE "C",
    technician text COLLATE "C",
    classes    text,
    verdict    text NOT NULL,
    reason     text,
    missing    bigint NOT NULL,
    evidence   json NOT NULL,
    signed_by  text,
    signed     timestamptz,
    note       text,
    revision   bigint NOT NULL,
    epoch      bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, step)
);
COMMENT ON TABLE inspections IS 'The newest inspection record of each step';
COMMENT ON COLUMN inspections.ts IS 'Of the newest change';
COMMENT ON COLUMN inspections.verdict IS 'open passed unsigned failed accepted';
COMMENT ON COLUMN inspections.missing IS 'Good readings that lack';
COMMENT ON COLUMN inspections.evidence IS 'Checks, and the values measured';
COMMENT ON COLUMN inspections.signed_by IS 'As they said themselves';
CREATE INDEX inspections_open ON inspections (site, ts) WHERE verdict IN ('unsigned', 'failed');

CREATE TABLE invoice_lines (
    site      text COLLATE "C" NOT NULL,
    job       text COLLATE "C" NOT NULL,
    line      bigint NOT NULL,
    row_id    text NOT NULL,
    ts        timestamptz NOT NULL,
    kind      text NOT NULL,
    step      text COLLATE "C" NOT NULL,
    item      text NOT NULL,
    quantity  double precision NOT NULL,
    unit      text,
    price     double precision,
    amount    double precision,
    currency  text NOT NULL,
    state     text NOT NULL,
    reason    text,
    posted_by text,
    note      text,
    revision  bigint NOT NULL,
    epoch     bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (site, job, line)
);
COMMENT ON TABLE invoice_lines IS 'Lines of bills';
COMMENT ON COLUMN invoice_lines.ts IS 'Of the newest change';
COMMENT ON COLUMN invoice_lines.kind IS 'labour resource amendment';
COMMENT ON COLUMN invoice_lines.item IS 'The operation, or the resource';
COMMENT ON COLUMN invoice_lines.quantity IS 'In `unit`';
COMMENT ON COLUMN invoice_lines.unit IS 'A UCUM code';
COMMENT ON COLUMN invoice_lines.price IS 'Of a unit, in `currency`';
COMMENT ON COLUMN invoice_lines.amount IS 'Quantity times price in `currency`, rounded to the hundredth';
COMMENT ON COLUMN invoice_lines.state IS 'posted held';
COMMENT ON COLUMN invoice_lines.reason IS 'Why it is held';
CREATE INDEX invoice_lines_held ON invoice_lines (site, ts) WHERE state = 'held';
CREATE INDEX invoice_lines_by_time ON invoice_lines (ts);

CREATE TABLE queue_items (
    queue    text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,
    row_id   text NOT NULL,
    ts       timestamptz NOT NULL,
    site     text COLLATE "C",
    job      text COLLATE "C",
    kind     text NOT NULL,
    key      text NOT NULL,
    body     json NOT NULL,
    previous text NOT NULL,
    hash     text NOT NULL,
    epoch    bigint NOT NULL REFERENCES epochs (epoch),
    PRIMARY KEY (queue, number)
);
COMMENT ON TABLE queue_items IS 'Items of queues: billing, notifications, audit; each with the hash of the one before';
COMMENT ON COLUMN queue_items.number IS 'From 1, without a gap';
COMMENT ON COLUMN queue_items.key IS 'Names it for whoever must not do the same twice';
CREATE INDEX queue_items_by_job ON queue_items (site, job, queue, number);

CREATE TABLE staged_job_cards (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE job_cards);
COMMENT ON TABLE staged_job_cards IS 'Of Andon alone: rows on their way into job_cards';
CREATE TABLE staged_job_steps (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE job_steps);
COMMENT ON TABLE staged_job_steps IS 'Of Andon alone: rows on their way into job_steps';
CREATE TABLE staged_inspections (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE inspections);
COMMENT ON TABLE staged_inspections IS 'Of Andon alone: rows on their way into inspections';
CREATE TABLE staged_invoice_lines (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE invoice_lines);
COMMENT ON TABLE staged_invoice_lines IS 'Of Andon alone: rows on their way into invoice_lines';
CREATE TABLE staged_queue_items (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, LIKE queue_items);
COMMENT ON TABLE staged_queue_items IS 'Of Andon alone: rows on their way into queue_items';

CREATE VIEW job_steps_waiting AS
SELECT s.site, s.job, s.step, s.operation, s.skills, s.state, c.promised
FROM job_steps s JOIN job_cards c ON c.site = s.site AND c.job = s.job
WHERE s.state IN ('ready', 'reworked') AND c.released IS NULL
ORDER BY c.promised NULLS LAST, c.accepted, s.ordinal;
COMMENT ON VIEW job_steps_waiting IS 'What could be begun, most urgent first';

CREATE VIEW invoice_totals AS
SELECT site, job, currency, sum(CASE WHEN state = 'posted' THEN amount ELSE 0 END) AS posted_amount,
    count(*) FILTER (WHERE state = 'held') AS held_lines
FROM invoice_lines GROUP BY site, job, currency;
COMMENT ON VIEW invoice_totals IS 'What each job comes to, in `currency`';
