#!/usr/bin/env python3
"""The independent judge: DuckDB recomputes from the raw streams what Andon derived, with SQL of its own.

    judge.py OUT RECORDING FIGURES

OUT is the folder of a replay with the shipped rules, RECORDING its one input (NDJSON), FIGURES the JSON that
the replay printed. It reads `telemetry` and `steps` as facts and recomputes

    counts      the conservation law, and the printed figures
    join        which step each reading belongs to
    usage       amounts, register rises and bookings by hand, per (job, step, resource)
    checks      what the job cards expect, counted per (job, step, metric, joint, pset)
    windows     the view torque_per_minute
    events      torque_out_of_spec, angle_low, angle_high, over_dispense, under_fill, step_overrun, readings_missing,
                readings_surplus, dispense_without_job
    conditions  air_pressure_low and low_voltage with their delays, lift_overload, tool_offline

Sums of floats are compared within 1e-9 of their size, everything else exactly. Prints a line for each check
with how many rows it compared; exit code 1 and the first differences where one fails, 2 on wrong use.
"""

import glob
import json
import math
import sys

import duckdb


class Judge:
    def __init__(self, out, recording, figures):
        self.db = duckdb.connect()
        self.db.execute("SET TimeZone = 'UTC'")
        self.recording = recording
        self.figures = figures
        self.failed = 0
        for stream in ["telemetry", "late", "steps", "usage", "checks", "exceptions", "quarantine", "torque_per_minute"]:
            # A stream without rows has one file with its columns, outside of any partition.
            empty = glob.glob(f"{out}/{stream}/*.parquet")
            source = f"'{out}/{stream}/*.parquet'" if empty else (
                f"'{out}/{stream}/*/*/*.parquet', hive_partitioning = true, hive_types = {{'date': VARCHAR, 'site': VARCHAR}}"
            )
            site = ", CAST(NULL AS VARCHAR) AS site" if empty else ""
            self.db.execute(f"CREATE VIEW {stream} AS SELECT *{site} FROM read_parquet({source})")
        # Facts: rows that count in windows, in the order of the journal.
        self.db.execute(
            "CREATE TABLE facts AS SELECT *, CAST(split_part(row_id, '-', 2) AS BIGINT) AS place "
            "FROM telemetry WHERE lateness IN ('on_time', 'correction')"
        )
        # A run is a start with the first end after it; a start of a step that is already open is no run.
        self.db.execute(
            """
            CREATE TABLE runs AS
            WITH marks AS (
                SELECT *, lag(event) OVER (PARTITION BY site, bay, job, step ORDER BY ts, message) AS before
                FROM steps WHERE event IN ('started', 'finished', 'failed')
            )
            SELECT site, bay, job, step, ts AS started, message,
                   (SELECT min(e.ts) FROM steps e
                     WHERE e.event IN ('finished', 'failed') AND e.site = s.site AND e.bay = s.bay AND e.job = s.job
                       AND e.step = s.step AND (e.ts > s.ts OR (e.ts = s.ts AND e.message > s.message))) AS ended
            FROM marks s WHERE event = 'started' AND before IS DISTINCT FROM 'started'
            """
        )
        self.db.execute(
            """
            CREATE TABLE joined AS
            SELECT f.row_id, arg_max(r.job, (r.started, r.message)) AS job, arg_max(r.step, (r.started, r.message)) AS step
            FROM facts f JOIN runs r ON f.site = r.site AND f.bay = r.bay AND f.ts >= r.started
                 AND (r.ended IS NULL OR f.ts < r.ended)
            GROUP BY f.row_id
            """
        )

    def rows(self, sql):
        return self.db.execute(sql).fetchall()

    def same(self, name, ours, theirs, at_least=1):
        """`ours` is what the judge computed, both are lists of tuples; floats within 1e-9."""
        ours, theirs = sorted(ours, key=repr), sorted(theirs, key=repr)
        wrong = [pair for pair in zip(ours, theirs) if not alike(*pair)][:3]
        if len(ours) != len(theirs) or wrong:
            self.failed += 1
            print(f"FAILED  {name}: judge has {len(ours)} rows, Andon {len(theirs)}")
            only_ours, only_theirs = set(map(repr, ours)) - set(map(repr, theirs)), set(map(repr, theirs)) - set(map(repr, ours))
            for row in sorted(only_ours)[:3]:
                print(f"        judge alone  {row}")
            for row in sorted(only_theirs)[:3]:
                print(f"        Andon alone  {row}")
        elif len(ours) < at_least:
            self.failed += 1
            print(f"FAILED  {name}: {len(ours)} rows prove nothing, at least {at_least} were expected")
        else:
            print(f"equal   {name}: {len(ours)} rows")

    def counts(self):
        f = self.figures
        one = lambda sql: self.rows(sql)[0][0]
        undecodable = "('unknown_topic', 'not_json', 'wrong_shape', 'too_large', 'not_a_recording_line')"
        self.same(
            "counts",
            [
                ("lines", sum(1 for line in open(self.recording, "rb") if line.strip())),
                ("rows", one("SELECT count(*) FROM telemetry")),
                ("ids", one("SELECT count(DISTINCT row_id) FROM telemetry")),
                ("on_time", one("SELECT count(*) FROM telemetry WHERE lateness = 'on_time'")),
                ("corrections", one("SELECT count(*) FROM telemetry WHERE lateness = 'correction'")),
                ("late", one("SELECT count(*) FROM late")),
                ("undecodable", one(f"SELECT count(*) FROM quarantine WHERE reason IN {undecodable}")),
                ("quarantined", one(f"SELECT count(*) FROM quarantine WHERE reason NOT IN {undecodable}")),
                ("exceptions", one("SELECT count(DISTINCT id) FROM exceptions")),
            ],
            [
                ("lines", f["messages"]),
                ("rows", f["rows"]),
                ("ids", f["rows"]),
                ("on_time", f["on_time"]),
                ("corrections", f["corrections"]),
                ("late", f["late"]),
                ("undecodable", f["undecodable"]),
                ("quarantined", f["quarantined"] + f["events_quarantined"]),
                ("exceptions", f["exceptions"]),
            ],
        )
        print(
            f"        {f['messages']} messages, {f['undecodable']} undecodable; {f['rows']} applied, "
            f"{f['duplicates']} duplicates, {f['quarantined']} quarantined"
        )

    def join(self):
        self.same(
            "join",
            self.rows("SELECT f.row_id, j.job, j.step FROM facts f LEFT JOIN joined j USING (row_id) WHERE f.lateness = 'on_time'"),
            self.rows("SELECT row_id, job, step FROM telemetry WHERE lateness = 'on_time'"),
        )

    def bookings(self):
        """Bookings by hand from the recording: (site, bay, ts_ms, resource, quantity), each content once."""
        seen, booked = set(), []
        for line in open(self.recording, "rb"):
            if b"/usage\"" not in line:
                continue
            message = json.loads(line)
            payload = message["payload"]
            for one in payload if isinstance(payload, list) else [payload]:
                print_of = (message["topic"], json.dumps(one, sort_keys=True))
                if print_of not in seen:
                    seen.add(print_of)
                    _, site, bay, _ = message["topic"].split("/")
                    booked.append((site, bay, one["ts"], one["resource"], one["quantity"], one.get("job"), one.get("step")))
        return booked

    def usage(self):
        self.db.execute(
            "CREATE TABLE booked (site VARCHAR, bay VARCHAR, ts_ms BIGINT, resource VARCHAR, quantity DOUBLE, job VARCHAR, step VARCHAR)"
        )
        bookings = self.bookings()
        if bookings:
            self.db.executemany("INSERT INTO booked VALUES (?, ?, ?, ?, ?, ?, ?)", bookings)
        ours = self.rows(
            """
            WITH registers AS (
                SELECT row_id, metric, value,
                       lag(value) OVER (PARTITION BY site, bay, tool, metric ORDER BY ts, message, place) AS before
                FROM facts WHERE metric IN ('energy', 'air_volume') AND lateness = 'on_time'
            ), uses AS (
                SELECT j.job, j.step, f.tags['grade'] AS resource, f.value AS quantity
                FROM facts f JOIN joined j USING (row_id) WHERE f.metric = 'dispensed'
                UNION ALL
                SELECT j.job, j.step, CASE r.metric WHEN 'energy' THEN 'electricity' ELSE 'compressed_air' END,
                       r.value - r.before
                FROM registers r JOIN joined j USING (row_id) WHERE r.value >= r.before
                UNION ALL
                SELECT r.job, r.step, b.resource, b.quantity
                FROM booked b JOIN runs r ON b.site = r.site AND b.bay = r.bay
                 AND ((b.job IS NULL AND epoch_ms(r.started) <= b.ts_ms AND (r.ended IS NULL OR b.ts_ms < epoch_ms(r.ended)))
                   OR (b.job = r.job AND b.step = r.step))
            )
            SELECT job, step, resource, sum(quantity) FROM uses
            WHERE (job, step) IN (SELECT (job, step) FROM runs WHERE ended IS NOT NULL)
            GROUP BY ALL
            """
        )
        self.same(
            "usage",
            ours,
            self.rows("SELECT job, step, resource, arg_max(quantity, revision) FROM usage GROUP BY ALL"),
        )
        self.same("usage is final", [], self.rows("SELECT job, step FROM usage GROUP BY ALL HAVING NOT arg_max(final, revision)"), 0)

    def expected(self):
        """Items of the newest card of each job in the recording."""
        cards = {}
        for line in open(self.recording, "rb"):
            if b"/jobs\"" in line:
                message = json.loads(line)
                cards[(message["topic"].split("/")[1], message["payload"]["job"])] = message["payload"]
        name = lambda item: [item.get(key) for key in ("metric", "joint", "pset", "class", "count", "min", "max")]
        return [
            [site, job, step["step"], *name(item)]
            for (site, job), card in cards.items()
            for step in card["steps"]
            for item in step.get("expect", [])
        ]

    def checks(self):
        self.db.execute(
            "CREATE TABLE expected (site VARCHAR, job VARCHAR, step VARCHAR, metric VARCHAR, joint VARCHAR, pset VARCHAR, "
            "class VARCHAR, count BIGINT, least DOUBLE, most DOUBLE)"
        )
        items = self.expected()
        if items:
            self.db.executemany("INSERT INTO expected VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", items)
        self.db.execute(
            """
            CREATE TABLE checked AS
            WITH measured AS (
                SELECT f.site, j.job, j.step, f.metric, f.value, f.tags['joint'] AS joint, f.tags['pset'] AS pset
                FROM facts f JOIN joined j USING (row_id)
            )
            SELECT e.job, e.step, e.metric, e.joint, e.pset, e.class, e.count AS expected, count(m.metric) AS counted,
                   count(m.metric) FILTER (WHERE (e.least IS NULL OR m.value >= e.least)
                     AND (e.most IS NULL OR m.value <= e.most)) AS within
            FROM expected e LEFT JOIN measured m ON m.site = e.site AND m.job = e.job AND m.step = e.step
             AND m.metric = e.metric AND (e.joint IS NULL OR m.joint = e.joint) AND (e.pset IS NULL OR m.pset = e.pset)
            WHERE (e.site, e.job, e.step) IN (SELECT (site, job, step) FROM runs WHERE ended IS NOT NULL)
            GROUP BY ALL
            """
        )
        self.same(
            "checks",
            self.rows(
                "SELECT *, CASE WHEN expected IS NOT NULL THEN greatest(expected - within, 0) END, "
                "CASE WHEN expected IS NOT NULL THEN greatest(counted - expected, 0) END FROM checked"
            ),
            self.rows(
                """
                SELECT job, step, metric, joint, pset, class, expected, counted, within, missing, surplus FROM checks
                QUALIFY row_number() OVER (PARTITION BY site, job, step, metric, joint, pset ORDER BY revision DESC) = 1
                """
            ),
        )

    def windows(self):
        self.same(
            "windows",
            self.rows(
                """
                SELECT site, bay, tool, epoch_ms(time_bucket(INTERVAL '1 minute', ts)) AS start_ms, count(*), avg(value), min(value), max(value)
                FROM facts WHERE metric = 'torque' GROUP BY ALL
                """
            ),
            self.rows(
                """
                SELECT site, bay, tool, epoch_ms(window_start), joints, mean, lowest, highest FROM torque_per_minute
                WHERE final QUALIFY row_number() OVER (PARTITION BY site, bay, tool, window_start ORDER BY revision DESC) = 1
                """
            ),
        )

    def events(self):
        raised = lambda rule: self.rows(
            f"""
            SELECT json_extract_string(evidence, '$.rows[0]') FROM exceptions WHERE rule = '{rule}'
            GROUP BY ALL HAVING NOT bool_or(coalesce(json_extract_string(evidence, '$.reason'), '') = 'rejoined')
            """
        )
        for rule, sql in {
            "torque_out_of_spec": "SELECT row_id FROM facts WHERE metric = 'torque' AND (value < spec_min OR value > spec_max)",
            "angle_low": "SELECT row_id FROM facts WHERE metric = 'angle' AND value < spec_min",
            "angle_high": "SELECT row_id FROM facts WHERE metric = 'angle' AND value > spec_max",
            "dispense_without_job": "SELECT row_id FROM facts WHERE metric = 'dispensed' AND value > 0 AND job IS NULL",
        }.items():
            self.same(rule, self.rows(sql), raised(rule), 1 if rule == "torque_out_of_spec" else 0)
        # What took too long in the end was told while it went on.
        self.same(
            "steps over 1.5 times their standard",
            self.rows(
                """
                SELECT site, bay, job, step, epoch_ms(ts) FROM steps
                WHERE event IN ('finished', 'failed') AND elapsed_s > 1.5 * standard_s
                """
            ),
            self.rows(
                """
                SELECT site, bay, job, step, min(epoch_ms(ended.ts))
                FROM (SELECT * FROM steps WHERE event = 'overran' AND elapsed_s > 1.5 * standard_s
                    AND elapsed_s <= 1.6 * standard_s) AS overran
                JOIN (SELECT * FROM steps WHERE event IN ('finished', 'failed')) AS ended USING (site, bay, job, step)
                WHERE ended.ts > overran.ts GROUP BY site, bay, job, step, overran.row_id
                """
            ),
        )
        # Nobody knows yet of what has only just gone over it.
        over = """
            SELECT job, step, bay, max(ts) AS ts FROM steps WHERE event IN ('overran', 'finished', 'failed')
            GROUP BY job, step, bay, epoch_ms(ts) // 10000
            HAVING arg_max(event, ts) = 'overran' AND arg_max(elapsed_s, ts) > 1.5 * arg_max(standard_s, ts)
        """
        known = f"{over} AND max(ts) < (SELECT max(ts) - INTERVAL '1 minute' FROM steps AS later WHERE later.bay = steps.bay)"
        told = "SELECT DISTINCT job, step FROM exceptions WHERE rule = 'step_overrun'"
        theirs = self.rows(told)
        ours = self.rows(f"SELECT job, step FROM ({known}) UNION (SELECT job, step FROM ({over}) INTERSECT {told})")
        self.same("step_overrun", ours, theirs)
        # A booking is one exception in all its revisions; the newest says whether there is one.
        for rule, test in {
            "over_dispense": "unit = 'L' AND quantity > planned * 1.05 + 0.2",
            "under_fill": "unit = 'L' AND quantity < planned * 0.95",
        }.items():
            ours = self.rows(
                f"""
                SELECT job, step, resource FROM (SELECT * FROM usage QUALIFY row_number() OVER
                    (PARTITION BY site, job, step, resource ORDER BY revision DESC) = 1) WHERE {test}
                """
            )
            theirs = self.rows(
                f"""
                SELECT any_value(job), any_value(step), any_value(json_extract_string(evidence, '$.columns.resource'))
                FROM exceptions WHERE rule = '{rule}' GROUP BY id
                HAVING NOT bool_or(coalesce(json_extract_string(evidence, '$.reason'), '') = 'amended')
                """
            )
            self.same(rule, ours, theirs, 1 if rule == "over_dispense" else 0)
        for rule, test in {
            "readings_missing": "within < expected",
            "readings_surplus": "within > expected AND (joint IS NULL OR metric <> 'torque')",
        }.items():
            theirs = self.rows(
                f"""
                SELECT any_value(job), any_value(step), any_value(json_extract_string(evidence, '$.columns.metric'))
                FROM exceptions WHERE rule = '{rule}' GROUP BY id
                HAVING NOT bool_or(coalesce(json_extract_string(evidence, '$.reason'), '') = 'amended')
                """
            )
            ours = self.rows(f"SELECT job, step, metric FROM checked WHERE {test}")
            self.same(rule, ours, theirs, 1 if rule == "readings_missing" else 0)

    def passed(self):
        """How far each bay's time had come at the last tick, the lateness of 30 s off. A state has no time of its own."""
        return dict(
            self.rows(
                """
                WITH heard AS (
                    SELECT site, bay, ts, arrived FROM telemetry WHERE metric NOT IN ('online', 'occupied', 'open')
                    UNION ALL SELECT site, bay, ts, arrived FROM steps
                ), newest AS (SELECT time_bucket(INTERVAL '1 second', max(arrived)) AS tick FROM heard)
                SELECT concat_ws('/', site, bay), epoch_ms(max(ts)) - 30000 FROM heard, newest WHERE arrived < tick GROUP BY ALL
                """
            )
        )

    def conditions(self):
        window = lambda metric, seconds, test: self.rows(
            f"""
            SELECT concat_ws('/', site, bay, tool), epoch_ms(time_bucket(INTERVAL '{seconds} seconds', ts)) + {seconds}000 AS at_ms, {test},
                   concat_ws('/', site, bay)
            FROM facts WHERE metric = '{metric}' GROUP BY site, bay, tool, time_bucket(INTERVAL '{seconds} seconds', ts)
            ORDER BY at_ms
            """
        )
        rows = lambda where, test: self.rows(
            f"SELECT concat_ws('/', site, bay, tool, metric), epoch_ms(ts), coalesce({test}, false), concat_ws('/', site, bay) FROM facts "
            f"WHERE {where} ORDER BY message, CAST(split_part(row_id, '-', 2) AS BIGINT)"
        )
        programming = (
            "value < 12.5 AND (operation LIKE 'program\\_%' ESCAPE '\\' OR operation LIKE 'flash\\_%' ESCAPE '\\') "
            "AND row_id IN (SELECT row_id FROM joined)"
        )
        for rule, verdicts, raise_ms, clear_ms in [
            ("air_pressure_low", window("air_pressure", 10, "avg(value) < 6.0"), 20_000, 60_000),
            ("low_voltage", rows("metric = 'voltage'", programming), 10_000, 20_000),
            ("lift_overload", rows("metric IN ('lift_load_left', 'lift_load_right')", "value > spec_max"), 0, 5_000),
            ("tool_offline", rows("metric = 'online'", "value = 0 AND NOT starts_with(tool, 'gw')"), 0, 0),
        ]:
            self.same(
                rule,
                lives(verdicts, raise_ms, clear_ms, self.passed()),
                self.rows(f"SELECT epoch_ms(raised), epoch_ms(max(cleared)) FROM exceptions WHERE rule = '{rule}' GROUP BY id, raised"),
                0,
            )


def lives(verdicts, raise_ms, clear_ms, passed):
    """The life of conditions from (key, time, verdict, bay): (raised, cleared) of each."""
    state, done = {}, []

    def clear(one, at_ms):
        if one["raised"] is not None and one["misses"] is not None and one["misses"] + clear_ms <= at_ms:
            done.append((one["raised"], one["misses"] + clear_ms))
            one["raised"] = None

    for key, at_ms, matches, bay in verdicts:
        one = state.setdefault(key, {"newest": None, "since": None, "misses": None, "raised": None, "bay": bay})
        if one["newest"] is not None and at_ms < one["newest"]:
            continue
        one["newest"] = at_ms
        if matches:
            clear(one, at_ms - 1)
        if matches:
            one["misses"] = None
            one["since"] = at_ms if one["since"] is None else one["since"]
            if one["raised"] is None and at_ms - one["since"] >= raise_ms:
                one["raised"] = at_ms
            continue
        one["since"] = None
        one["misses"] = at_ms if one["misses"] is None else one["misses"]
        clear(one, at_ms)
    for one in state.values():
        clear(one, passed.get(one["bay"], float("-inf")))
    return done + [(one["raised"], None) for one in state.values() if one["raised"] is not None]


def alike(ours, theirs):
    if isinstance(ours, tuple):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
    return ours == theirs


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    judge = Judge(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
    for check in [judge.counts, judge.join, judge.usage, judge.checks, judge.windows, judge.events, judge.conditions]:
        check()
    return 1 if judge.failed else 0


if __name__ == "__main__":
    sys.exit(main())
