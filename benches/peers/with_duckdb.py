#!/usr/bin/env python3
"""The five queries in DuckDB: the recording is read once, each result goes to a Parquet file.

    with_duckdb.py RECORDING OUT
"""

import sys

import duckdb

# Slides of ten seconds are made once: the tumbling windows, and what the overlapping ones are made of.
QUERIES = {
    "limits": """
        SELECT make_timestamp(ts * 1000) AS ts, bay, tool, metric, value FROM readings
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
        SELECT bay, tool, metric, start_ms - back * 10000 AS start_ms, sum(n)::BIGINT AS n, sum(total) AS total,
               min(lowest) AS lowest, max(highest) AS highest, sum(total) / sum(n) AS mean
        FROM slides, (SELECT unnest(range(6)) AS back)
        GROUP BY ALL
    """,
    "step_usage": """
        SELECT r.bay, s.job, s.step, r.metric, count(*) AS n, sum(r.value) AS total
        FROM readings r ASOF JOIN (SELECT * FROM steps WHERE event = 'started') s ON r.bay = s.bay AND r.ts >= s.ts
        GROUP BY ALL
    """,
    "silent": """
        SELECT bay, tool, before AS from_ms, ts AS to_ms
        FROM (SELECT bay, tool, ts, lag(ts) OVER (PARTITION BY bay, tool ORDER BY ts) AS before FROM readings)
        WHERE ts - before > 30000
    """,
}


def main(recording, out):
    db = duckdb.connect()
    db.execute("SET preserve_insertion_order = false")
    payload = (
        "STRUCT(ts BIGINT, metric VARCHAR, value DOUBLE, unit VARCHAR, seq BIGINT, job VARCHAR, step VARCHAR, "
        "technician VARCHAR, event VARCHAR)"
    )
    db.execute(
        f"""
        CREATE TABLE lines AS
        SELECT split_part(topic, '/', 3) AS bay, split_part(topic, '/', 4) AS tool, payload.ts AS ts,
               payload.metric AS metric, payload.value AS value, payload.job AS job, payload.step AS step,
               payload.event AS event
        FROM read_ndjson('{recording}', columns = {{topic: 'VARCHAR', payload: '{payload}'}})
        """
    )
    db.execute("CREATE VIEW readings AS SELECT bay, tool, ts, metric, value FROM lines WHERE metric IS NOT NULL")
    db.execute("CREATE VIEW steps AS SELECT bay, ts, job, step, event FROM lines WHERE event IS NOT NULL")
    db.execute(
        """
        CREATE TABLE slides AS
        SELECT bay, tool, metric, ts // 10000 * 10000 AS start_ms, count(*) AS n, sum(value) AS total,
               min(value) AS lowest, max(value) AS highest
        FROM readings GROUP BY ALL
        """
    )
    for name, sql in QUERIES.items():
        db.execute(f"COPY ({sql}) TO '{out}/{name}.parquet' (FORMAT parquet, COMPRESSION zstd)")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else 2)
