//! The figures as tables in Markdown.

use std::fmt::Write as _;

use super::cases::Case;
use super::row::Row;
use crate::contestant::Work;
use crate::contestants::BASELINE;
use crate::meter::Measured;

/// One table for each runtime of the case.
pub(super) fn table(case: &Case, rows: &[Row]) -> String {
    let mut out = String::new();
    for &threads in case.threads {
        let mine: Vec<_> = rows.iter().filter(|row| row.threads == threads).collect();
        let baseline =
            mine.iter().copied().find(|row| row.contestant == BASELINE && !row.runs.is_empty());
        let columns = columns(case);
        let titles: Vec<_> = columns.iter().map(|column| column.title).collect();
        let _ = writeln!(out, "\n### {} (`{}`, {})\n", case.title, case.key, threads.name());
        let _ = writeln!(out, "| contestant | {} |", titles.join(" | "));
        let _ = writeln!(out, "|---|{}", "--:|".repeat(columns.len()));
        for row in mine {
            let _ = writeln!(out, "{}", line(row, baseline, &columns));
        }
    }
    out
}

struct Column {
    title: &'static str,
    cell: fn(&Row, Option<&Row>) -> String,
}

fn line(row: &Row, baseline: Option<&Row>, columns: &[Column]) -> String {
    let name = &row.contestant;
    if row.runs.is_empty() {
        return format!("| {name} | failed: {} |", row.error.as_deref().unwrap_or("no runs"));
    }
    let cells: Vec<_> = columns.iter().map(|column| (column.cell)(row, baseline)).collect();
    let then = row.error.as_ref().map(|error| format!(" then: {error}")).unwrap_or_default();
    format!("| {name} | {} |{then}", cells.join(" | "))
}

fn columns(case: &Case) -> Vec<Column> {
    match case.work {
        Work::Echo if case.window == 1 => {
            [spread("us, p50"), latency()].into_iter().flatten().collect()
        }
        Work::Flood | Work::Blast | Work::Echo | Work::Call => {
            [spread("messages/s"), cpu()].into_iter().flatten().collect()
        }
        Work::JsonIn | Work::JsonOut => {
            [wire(), cpu(), spread("messages/s")].into_iter().flatten().collect()
        }
        Work::Idle | Work::IdleDeflate => spread("KiB/connection"),
        Work::Reopen => spread("us"),
    }
}

fn spread(unit: &'static str) -> Vec<Column> {
    vec![
        Column { title: unit, cell: |row, _| number(row.headline().median) },
        Column { title: "least", cell: |row, _| number(row.headline().least) },
        Column { title: "most", cell: |row, _| number(row.headline().most) },
        Column {
            title: "x of tokio-tungstenite",
            cell: |row, baseline| ratio(row, baseline, |row| row.headline().median),
        },
    ]
}

/// The median of the sums, not the sum of the medians: the split is by ticks.
fn cpu() -> Vec<Column> {
    vec![
        Column {
            title: "CPU us/message (user + system)",
            cell: |row, _| {
                let [all, user, system] = [
                    row.for_each(|run| run.cpu_s() * 1e6),
                    row.for_each(|run| run.user_s * 1e6),
                    row.for_each(|run| run.sys_s * 1e6),
                ];
                format!("{all:.3} ({user:.3} + {system:.3})")
            },
        },
        x_cpu(),
        Column { title: "sleeps", cell: |row, _| number(row.median(|run| run.sleeps as f64)) },
    ]
}

fn latency() -> Vec<Column> {
    vec![
        Column {
            title: "p99",
            cell: |row, _| number(row.median(|run| run.p99_us.unwrap_or(f64::NAN))),
        },
        Column {
            title: "CPU us/message",
            cell: |row, _| format!("{:.1}", row.for_each(|run| run.cpu_s() * 1e6)),
        },
        x_cpu(),
    ]
}

fn x_cpu() -> Column {
    Column {
        title: "x CPU",
        cell: |row, baseline| ratio(row, baseline, |row| row.for_each(Measured::cpu_s)),
    }
}

fn wire() -> Vec<Column> {
    vec![
        Column {
            title: "B/message on the wire",
            cell: |row, _| format!("{:.1}", row.for_each(|run| run.wire_bytes.unwrap_or(0) as f64)),
        },
        Column {
            title: "of 10,000, KiB",
            cell: |row, _| {
                format!(
                    "{:.0}",
                    row.for_each(|run| run.wire_bytes.unwrap_or(0) as f64) * 10_000.0 / 1024.0
                )
            },
        },
    ]
}

fn ratio(row: &Row, baseline: Option<&Row>, of: impl Fn(&Row) -> f64) -> String {
    match baseline {
        Some(baseline) => format!("{:.2}", of(row) / of(baseline)),
        None => "-".to_owned(),
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.2} M", value / 1e6),
        size if size >= 1e4 => format!("{:.0} k", value / 1e3),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
