//! Tables of what the engine finds.

use super::{Table, integer, real, text, time};

/// Exceptions, usage, steps and checks.
pub(super) const LEDGERS: [Table; 4] = [
    Table {
        name: "exceptions",
        columns: &[
            text("id"),
            text("row_id"),
            text("rule"),
            text("rule_version"),
            text("severity"),
            text("site"),
            text("bay"),
            text("tool"),
            text("job"),
            text("step"),
            time("raised_ms"),
            time("cleared_ms"),
            text("state"),
            real("value"),
            real("limit_min"),
            real("limit_max"),
            text("message"),
            text("evidence"),
            text("operator_state"),
            time("operator_since_ms"),
            text("actor"),
            text("operator_reason"),
            time("shelved_until_ms"),
        ],
        on_conflict: "(id) DO UPDATE SET row_id = excluded.row_id, rule_version = excluded.rule_version, \
            severity = excluded.severity, bay = excluded.bay, tool = excluded.tool, job = excluded.job, \
            step = excluded.step, raised_ms = excluded.raised_ms, cleared_ms = excluded.cleared_ms, \
            state = excluded.state, value = excluded.value, limit_min = excluded.limit_min, \
            limit_max = excluded.limit_max, message = excluded.message, evidence = excluded.evidence, \
            operator_state = excluded.operator_state, operator_since_ms = excluded.operator_since_ms, \
            actor = excluded.actor, operator_reason = excluded.operator_reason, \
            shelved_until_ms = excluded.shelved_until_ms, epoch = excluded.epoch",
    },
    Table {
        name: "usage",
        columns: &[
            text("site"),
            text("job"),
            text("step"),
            text("resource"),
            text("row_id"),
            text("bay"),
            real("quantity"),
            text("unit"),
            real("planned"),
            integer("readings"),
            time("started_ms"),
            time("ended_ms"),
            integer("revision"),
            integer("final"),
        ],
        on_conflict: "(site, job, step, resource) DO UPDATE SET row_id = excluded.row_id, bay = excluded.bay, \
            quantity = excluded.quantity, unit = excluded.unit, planned = excluded.planned, \
            readings = excluded.readings, started_ms = excluded.started_ms, ended_ms = excluded.ended_ms, \
            revision = excluded.revision, final = excluded.final, epoch = excluded.epoch \
            WHERE excluded.revision >= usage.revision",
    },
    Table {
        name: "steps",
        columns: &[
            text("row_id"),
            integer("message"),
            time("ts_ms"),
            time("arrived_ms"),
            text("site"),
            text("bay"),
            text("job"),
            text("step"),
            text("operation"),
            text("technician"),
            text("event"),
            integer("seq"),
            real("elapsed_s"),
            real("standard_s"),
            text("overlaps"),
        ],
        // The row id is made of all that the row says.
        on_conflict: "(row_id) DO NOTHING",
    },
    Table {
        name: "checks",
        columns: &[
            text("site"),
            text("job"),
            text("step"),
            text("metric"),
            text("joint"),
            text("pset"),
            text("row_id"),
            text("bay"),
            text("operation"),
            text("technician"),
            text("class"),
            integer("expected"),
            integer("counted"),
            integer("within"),
            integer("missing"),
            integer("surplus"),
            real("spec_min"),
            real("spec_max"),
            text("unit"),
            time("started_ms"),
            time("ended_ms"),
            integer("revision"),
            integer("final"),
        ],
        on_conflict: "(site, job, step, metric, ifnull('=' || joint, ''), ifnull('=' || pset, '')) DO UPDATE SET \
            row_id = excluded.row_id, bay = excluded.bay, operation = excluded.operation, \
            technician = excluded.technician, class = excluded.class, expected = excluded.expected, \
            counted = excluded.counted, within = excluded.within, missing = excluded.missing, \
            surplus = excluded.surplus, spec_min = excluded.spec_min, spec_max = excluded.spec_max, \
            unit = excluded.unit, started_ms = excluded.started_ms, ended_ms = excluded.ended_ms, \
            revision = excluded.revision, final = excluded.final, epoch = excluded.epoch \
            WHERE excluded.revision >= checks.revision",
    },
];
