#!/usr/bin/env python3
"""Whether Andon and a peer have come to the same results.

    compare.py ANDON PEER

ANDON is the folder of a replay with the five queries, PEER that of a peer's Parquet files. Counts, extremes and what is
listed are equal; sums and means within 1e-9 of their size; silences begin and end within the two seconds that readings
come out of order, since Andon goes by arrival and the peers by event time. Prints how many rows are the same; exit
code 1 and the first differences where they are not.
"""

import sys

import duckdb

AGGREGATES = {"exact": ["n", "lowest", "highest"], "near": ["total", "mean"]}
WINDOW = ["bay", "tool", "metric", "start_ms"]

# Of each query: what names a row, what is equal, what is nearly so; and how Andon's stream says it.
QUERIES = {
    "limits": {
        "key": ["ts", "bay", "tool", "metric", "value"],
        "exact": ["copies"],
        "ours": "SELECT epoch_ms(ts) AS ts, bay, tool, metric, value, count(*) AS copies FROM ours GROUP BY ALL",
        "theirs": "SELECT epoch_ms(ts) AS ts, bay, tool, metric, value, count(*) AS copies FROM theirs GROUP BY ALL",
    },
    "tumbling": {"key": WINDOW, **AGGREGATES},
    "hopping": {"key": WINDOW, **AGGREGATES},
    "step_usage": {
        "key": ["bay", "job", "step", "metric"],
        "exact": ["n"],
        "near": ["total"],
    },
    "silent": {
        "key": ["bay", "tool", "number"],
        "within_2s": ["from_ms", "to_ms"],
        "ours": """
            SELECT bay, tool, row_number() OVER (PARTITION BY bay, tool ORDER BY from_ms) AS number, from_ms, to_ms
            FROM (SELECT bay, tool, epoch_ms(raised) - 30000 AS from_ms, epoch_ms(max(cleared)) AS to_ms
                  FROM ours WHERE rule = 'silent' GROUP BY bay, tool, raised HAVING to_ms IS NOT NULL)
        """,
        "theirs": "SELECT *, row_number() OVER (PARTITION BY bay, tool ORDER BY from_ms) AS number FROM theirs",
    },
}


def last_revisions(key):
    key = ", ".join(key)
    return (
        f"SELECT * FROM (SELECT *, epoch_ms(window_start) AS start_ms FROM ours) "
        f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY revision DESC) = 1"
    )


def compare(db, name, query, ours, theirs):
    stream = "exceptions" if name == "silent" else name
    db.execute(f"CREATE OR REPLACE VIEW ours AS SELECT * FROM read_parquet('{ours}/{stream}/**/*.parquet', hive_partitioning = true)")
    db.execute(f"CREATE OR REPLACE VIEW theirs AS SELECT * FROM read_parquet('{theirs}/{name}.parquet')")
    db.execute(f"CREATE OR REPLACE TABLE a AS {query.get('ours') or last_revisions(query['key'])}")
    db.execute(f"CREATE OR REPLACE TABLE b AS {query.get('theirs', 'SELECT * FROM theirs')}")
    same = [f"a.{one} = b.{one}" for one in query.get("exact", [])]
    same += [f"abs(a.{one} - b.{one}) <= 1e-9 * abs(b.{one})" for one in query.get("near", [])]
    same += [f"abs(a.{one} - b.{one}) <= 2000" for one in query.get("within_2s", [])]
    join = f"a FULL JOIN b USING ({', '.join(query['key'])})"
    is_same = f"coalesce({' AND '.join(same)}, false)"
    rows, equal = db.execute(f"SELECT count(*), count(*) FILTER (WHERE {is_same}) FROM {join}").fetchone()
    if rows == 0:
        print(f"{name}: no rows at all")
        return False
    if rows == equal:
        print(f"{name} {rows}", end="; ")
        return True
    print(f"{name}: {rows - equal} of {rows} rows differ (Andon's columns, then the peer's)")
    columns = [column for kind in ("exact", "near", "within_2s") for column in query.get(kind, [])]
    shown = query["key"] + [f"{side}.{column}" for side in "ab" for column in columns]
    for row in db.execute(f"SELECT {', '.join(shown)} FROM {join} WHERE NOT {is_same} ORDER BY ALL LIMIT 3").fetchall():
        print(f"  {row}")
    return False


def main(ours, theirs):
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    results = [compare(db, name, query, ours, theirs) for name, query in QUERIES.items()]
    print()
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) == 3 else 2)
