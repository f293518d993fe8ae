//! Other programs read all files of a stream alike.

use std::process::Command;

use super::*;

/// What DuckDB prints for a query, or none where there is no DuckDB.
fn duckdb(sql: &str) -> Option<String> {
    let script = "import sys, duckdb\nfor row in duckdb.sql(sys.argv[1]).fetchall(): print(*row, sep=' | ')";
    let output = Command::new("python3").args(["-c", script, sql]).output().ok()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("No module named"), "DuckDB cannot read the export: {error}");
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn duckdb_reads_files_of_both_ways_and_all_sizes() {
    let folder = tempfile::tempdir().expect("a folder");
    let sites: Vec<&str> = (0..300).map(|row| ["bern", "a/b", "Zürich 1"][row % 3]).collect();
    let mut sink = ParquetSink::new(settings(folder.path(), Show::AtCut)).expect("opens");
    let mut first = 0;
    for epoch in 1..=30 {
        let count = if epoch == 1 { 300 } else { epoch as usize % 4 * 3 };
        sink.write(&emission("telemetry", rows(first, &sites[..count]))).await.expect("writes");
        first += count as u64;
        let receipt = sink.prepare(Epoch(epoch), Offset(1)).await.expect("prepares");
        sink.commit(Epoch(epoch), &receipt).await.expect("commits");
    }
    let pattern = format!("{}/telemetry/**/*.parquet", folder.path().display());
    let sql = format!(
        "SELECT site, count(*), count(DISTINCT row_id), count(job), sum(value), min(ts)::VARCHAR, \
         count(tags) FILTER (tags['joint'] = 'left'), typeof(any_value(job)), typeof(any_value(tags)) \
         FROM read_parquet('{pattern}', hive_partitioning = true) GROUP BY site ORDER BY site"
    );
    let Some(seen) = duckdb(&sql) else {
        eprintln!("skipped: python3 has no duckdb");
        return;
    };
    // The same figures from the rows themselves.
    let mut expected = String::new();
    for (index, site) in ["Zürich 1", "a/b", "bern"].into_iter().enumerate() {
        let of_site: Vec<u64> = (0..first).filter(|row| row % 3 == 2 - index as u64).collect();
        let count = of_site.len();
        let jobs = of_site.iter().filter(|row| *row % 3 != 0).count();
        let sum: f64 = of_site.iter().filter(|row| *row % 4 != 1).map(|row| *row as f64 / 8.0).sum();
        let tagged = of_site.iter().filter(|row| *row % 5 == 0).count();
        let minute = 2 - index;
        expected += &format!(
            "{site} | {count} | {count} | {jobs} | {sum:?} | 2026-11-22 12:{minute:02}:00+00 | {tagged} | VARCHAR | MAP(VARCHAR, VARCHAR)\n"
        );
    }
    assert_eq!(seen, expected);
    let dates = duckdb(&format!("SELECT DISTINCT date, typeof(date) FROM read_parquet('{pattern}')"));
    assert_eq!(dates.as_deref(), Some("2026-11-22 | DATE\n"));
    let empty = format!("{}/late/**/*.parquet", folder.path().display());
    let columns =
        duckdb(&format!("SELECT string_agg(column_name, ' ') FROM (DESCRIBE SELECT * FROM '{empty}')"));
    assert_eq!(columns.as_deref(), Some("row_id message ts job value tags\n"));
}
