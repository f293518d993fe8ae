#!/usr/bin/env python3
"""The five queries in DataFusion: the recording is read once, each result goes to a Parquet file.

    with_datafusion.py RECORDING OUT
"""

import sys

import pyarrow as pa
from datafusion import SessionContext

# Slides of ten seconds are made once: the tumbling windows, and what the overlapping ones are made of. There is no as-of
# join: a step is joined by its bay, and by its start and the next one's.
QUERIES = {
    "limits": """
        SELECT to_timestamp_millis(ts) AS ts, bay, tool, metric, value FROM readings
        WHERE metric = 'torque' AND value > 99.9
           OR metric = 'angle' AND value > 99.8
           OR metric = 'temperature' AND value > 99.7
           OR metric = 'voltage' AND value > 99.6
           OR metric = 'air_pressure' AND value < 60.1
           OR metric = 'vibration' AND value < 60.2
           OR metric = 'current' AND value < 60.3
    """,
    "tumbling": """
        SELECT bay, tool, metric, start_ms, n, total, lowest, highest, total / n AS mean FROM slides
    """,
    "hopping": """
        SELECT bay, tool, metric, start_ms - back * 10000 AS start_ms, sum(n) AS n, sum(total) AS total,
               min(lowest) AS lowest, max(highest) AS highest, sum(total) / sum(n) AS mean
        FROM slides CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5)) AS slide(back)
        GROUP BY bay, tool, metric, start_ms - back * 10000
    """,
    "step_usage": """
        SELECT r.bay, s.job, s.step, r.metric, count(*) AS n, sum(r.value) AS total
        FROM readings r JOIN steps s ON r.bay = s.bay AND r.ts >= s.start_ms AND r.ts < s.end_ms
        GROUP BY r.bay, s.job, s.step, r.metric
    """,
    "silent": """
        SELECT bay, tool, before AS from_ms, ts AS to_ms
        FROM (SELECT bay, tool, ts, lag(ts) OVER (PARTITION BY bay, tool ORDER BY ts) AS before FROM readings)
        WHERE ts - before > 30000
    """,
}

SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        (
            "payload",
            pa.struct(
                [
                    ("ts", pa.int64()),
                    ("metric", pa.string()),
                    ("value", pa.float64()),
                    ("job", pa.string()),
                    ("step", pa.string()),
                    ("event", pa.string()),
                ]
            ),
        ),
    ]
)


def main(recording, out):
    context = SessionContext()
    context.register_json("recording", recording, schema=SCHEMA, file_extension=".ndjson")
    make = lambda name, sql: context.sql(f"CREATE TABLE {name} AS {sql}")
    make(
        "lines",
        """
        SELECT split_part(topic, '/', 3) AS bay, split_part(topic, '/', 4) AS tool, payload['ts'] AS ts,
               payload['metric'] AS metric, payload['value'] AS value, payload['job'] AS job, payload['step'] AS step,
               payload['event'] AS event
        FROM recording
        """,
    )
    context.sql("CREATE VIEW readings AS SELECT bay, tool, ts, metric, value FROM lines WHERE metric IS NOT NULL")
    make(
        "steps",
        """
        SELECT bay, job, step, ts AS start_ms,
               lead(ts, 1, 9223372036854775807) OVER (PARTITION BY bay ORDER BY ts) AS end_ms
        FROM lines WHERE event = 'started'
        """,
    )
    make(
        "slides",
        """
        SELECT bay, tool, metric, ts / 10000 * 10000 AS start_ms, count(*) AS n, sum(value) AS total,
               min(value) AS lowest, max(value) AS highest
        FROM readings GROUP BY bay, tool, metric, ts / 10000 * 10000
        """,
    )
    for name, sql in QUERIES.items():
        context.sql(f"COPY ({sql}) TO '{out}/{name}.parquet' STORED AS PARQUET").collect()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else 2)
