//! Tables of what the workshop's functions say.

use super::{Table, integer, real, text, time};

/// Jobs, their steps, inspection records, lines of bills, items of queues.
pub(super) const FUNCTIONS: [Table; 5] = [
    Table {
        name: "job_cards",
        columns: &[
            text("site"),
            text("job"),
            text("row_id"),
            time("ts_ms"),
            text("customer"),
            text("vehicle"),
            time("promised_ms"),
            text("state"),
            integer("steps"),
            integer("steps_closed"),
            time("accepted_ms"),
            time("started_ms"),
            time("ready_ms"),
            time("released_ms"),
            text("released_by"),
            text("reason"),
            integer("revision"),
        ],
        on_conflict: "(site, job) DO UPDATE SET row_id = excluded.row_id, ts_ms = excluded.ts_ms, \
            customer = excluded.customer, vehicle = excluded.vehicle, promised_ms = excluded.promised_ms, \
            state = excluded.state, steps = excluded.steps, steps_closed = excluded.steps_closed, \
            accepted_ms = excluded.accepted_ms, started_ms = excluded.started_ms, ready_ms = excluded.ready_ms, \
            released_ms = excluded.released_ms, released_by = excluded.released_by, reason = excluded.reason, \
            revision = excluded.revision, epoch = excluded.epoch \
            WHERE excluded.revision >= job_cards.revision",
    },
    Table {
        name: "job_steps",
        columns: &[
            text("site"),
            text("job"),
            text("step"),
            text("row_id"),
            time("ts_ms"),
            integer("ordinal"),
            text("operation"),
            text("skills"),
            text("state"),
            text("bay"),
            text("technician"),
            text("reason"),
            time("assigned_ms"),
            time("started_ms"),
            time("ended_ms"),
            real("worked_s"),
            real("standard_s"),
            integer("revision"),
        ],
        on_conflict: "(site, job, step) DO UPDATE SET row_id = excluded.row_id, ts_ms = excluded.ts_ms, \
            ordinal = excluded.ordinal, operation = excluded.operation, skills = excluded.skills, \
            state = excluded.state, bay = excluded.bay, technician = excluded.technician, \
            reason = excluded.reason, assigned_ms = excluded.assigned_ms, started_ms = excluded.started_ms, \
            ended_ms = excluded.ended_ms, worked_s = excluded.worked_s, standard_s = excluded.standard_s, \
            revision = excluded.revision, epoch = excluded.epoch \
            WHERE excluded.revision >= job_steps.revision",
    },
    Table {
        name: "inspections",
        columns: &[
            text("site"),
            text("job"),
            text("step"),
            text("row_id"),
            time("ts_ms"),
            text("bay"),
            text("technician"),
            text("classes"),
            text("verdict"),
            text("reason"),
            integer("missing"),
            text("evidence"),
            text("signed_by"),
            time("signed_ms"),
            text("note"),
            integer("revision"),
        ],
        on_conflict: "(site, job, step) DO UPDATE SET row_id = excluded.row_id, ts_ms = excluded.ts_ms, \
            bay = excluded.bay, technician = excluded.technician, classes = excluded.classes, \
            verdict = excluded.verdict, reason = excluded.reason, missing = excluded.missing, \
            evidence = excluded.evidence, signed_by = excluded.signed_by, signed_ms = excluded.signed_ms, \
            note = excluded.note, revision = excluded.revision, epoch = excluded.epoch \
            WHERE excluded.revision >= inspections.revision",
    },
    Table {
        name: "invoice_lines",
        columns: &[
            text("site"),
            text("job"),
            integer("line"),
            text("row_id"),
            time("ts_ms"),
            text("kind"),
            text("step"),
            text("item"),
            real("quantity"),
            text("unit"),
            real("price"),
            real("amount"),
            text("currency"),
            text("state"),
            text("reason"),
            text("posted_by"),
            text("note"),
            integer("revision"),
        ],
        on_conflict: "(site, job, line) DO UPDATE SET row_id = excluded.row_id, ts_ms = excluded.ts_ms, \
            kind = excluded.kind, step = excluded.step, item = excluded.item, quantity = excluded.quantity, \
            unit = excluded.unit, price = excluded.price, amount = excluded.amount, \
            currency = excluded.currency, state = excluded.state, reason = excluded.reason, \
            posted_by = excluded.posted_by, note = excluded.note, revision = excluded.revision, \
            epoch = excluded.epoch \
            WHERE excluded.revision >= invoice_lines.revision",
    },
    Table {
        name: "queue_items",
        columns: &[
            text("queue"),
            integer("number"),
            text("row_id"),
            time("ts_ms"),
            text("site"),
            text("job"),
            text("kind"),
            text("key"),
            text("body"),
            text("previous"),
            text("hash"),
        ],
        // An item never changes.
        on_conflict: "(queue, number) DO NOTHING",
    },
];
