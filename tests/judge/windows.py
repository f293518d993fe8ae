#!/usr/bin/env python3
"""DuckDB says what windows hold, and what the stream said is held against it.

    windows.py CASES

CASES is a JSON list of {"ours", "theirs", "rows", "runs", "stream"}: a query as an operator writes it, the same for DuckDB
over the tables `rows` and `runs`, and three Parquet files: the rows, the runs of steps, and what the stream said last of
each window. Whole numbers, texts and
times are equal, fractions within one unit in the last place. Exit code 1 and the first difference where they are not.
"""

import json
import math
import sys

import duckdb


def is_same(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= math.ulp(max(abs(one), abs(other)))
    return one == other


def order(row):
    # By what is no fraction: keys and the window stand first.
    return [(cell is not None, str(cell)) for cell in row if not isinstance(cell, float)]


def main(path):
    cases = json.load(open(path))
    windows = 0
    for case in cases:
        db = duckdb.connect()
        db.execute(
            "CREATE TABLE rows AS SELECT *, CAST(value * 8 AS HUGEINT) AS v, row_number() OVER () AS row "
            f"FROM read_parquet('{case['rows']}')"
        )
        db.execute(f"CREATE TABLE runs AS SELECT * FROM read_parquet('{case['runs']}')")
        theirs = sorted(db.execute(case["theirs"]).fetchall(), key=order)
        ours = sorted(db.execute(f"SELECT * FROM read_parquet('{case['stream']}')").fetchall(), key=order)
        windows += len(ours)
        differences = [(one, other) for one, other in zip(ours, theirs) if not all(map(is_same, one, other))]
        if len(ours) != len(theirs) or differences:
            print(f"{case['ours']}\n{case['theirs']}\n{len(ours)} windows of the stream, {len(theirs)} of DuckDB")
            for one, other in differences[:3]:
                print(f"  stream {one}\n  duckdb {other}")
            return 1
    print(f"{len(cases)} queries, {windows} windows: the same")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else 2)
