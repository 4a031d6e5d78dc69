//! The figures as one table for each workload. Of repeated runs each column shows its median (yes/no and faults: those
//! of the run that is the median by the first column), with the number of runs.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Workload, title, and the columns: what they are called and where they are in the result.
type Table = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const TABLES: [Table; 6] = [
    (
        "R1",
        "fan-out: one publisher",
        &[
            ("deliveries/s", "deliveries_per_s"),
            ("CPU us/delivery", "cpu_us_per_delivery"),
            ("of it system", "server_system_share_of_cpu"),
            ("p50 us", "p50_us"),
            ("p99 us", "p99_us"),
            ("per read", "deliveries_per_read"),
            ("server CPU", "server_cpu_share"),
            ("others there", "server_core_other_share"),
            ("generator", "generator_busy_share"),
            ("faults", "faults"),
        ],
    ),
    (
        "R2",
        "many rooms, all publish in turn",
        &[
            ("deliveries/s", "deliveries_per_s"),
            ("CPU us/delivery", "cpu_us_per_delivery"),
            ("p50 us", "p50_us"),
            ("p99 us", "p99_us"),
            ("server CPU", "server_cpu_share"),
            ("others there", "server_core_other_share"),
            ("generator", "generator_busy_share"),
            ("faults", "faults"),
        ],
    ),
    (
        "R3",
        "direct, pairs",
        &[
            ("messages/s", "messages_per_s"),
            ("CPU us/message", "cpu_us_per_delivery"),
            ("p50 us", "p50_us"),
            ("p99 us", "p99_us"),
            ("server CPU", "server_cpu_share"),
            ("others there", "server_core_other_share"),
            ("generator", "generator_busy_share"),
            ("faults", "faults"),
        ],
    ),
    (
        "R4",
        "idle connections",
        &[
            ("joined", "joined"),
            ("still open", "still_open"),
            ("joins/s", "joins_per_s"),
            ("CPU us/join", "cpu_us_per_join"),
            ("RSS KiB/connection", "rss_kib_per_connection"),
            ("RSS MiB", "rss_mib"),
            ("server's own messages", "server_messages"),
            ("faults", "faults"),
        ],
    ),
    (
        "R5",
        "churn",
        &[
            ("cycles/s", "cycles_per_s"),
            ("cycles", "cycles"),
            ("CPU us/cycle", "cpu_us_per_cycle"),
            ("died", "server_died"),
            ("died of resets", "died_when_the_rest_was_reset"),
            ("stuck", "stuck"),
            ("usable after", "usable_afterwards"),
            ("RSS MiB before", "rss_mib_before"),
            ("middle", "rss_mib_middle"),
            ("after", "rss_mib_after"),
            ("files before", "files_before"),
            ("after", "files_after"),
            ("faults", "faults"),
        ],
    ),
    (
        "R6",
        "slow consumer",
        &[
            ("msg/s all read", "messages_per_s_all_read"),
            ("ratio early", "ratio_early"),
            ("ratio late", "ratio_late"),
            ("longest gap s", "longest_gap_s"),
            ("RSS MiB before", "rss_mib_all_read"),
            ("after", "rss_mib_end"),
            ("others cut", "others_cut"),
            ("slow one ended", "/slow/end"),
            ("it missed", "/slow/messages_it_missed"),
            ("got late", "/slow/messages_it_got_late"),
            ("died", "server_died"),
        ],
    ),
];

/// All the tables for which there are lines.
pub(super) fn tables(lines: &[&Value]) -> String {
    let mut out = String::new();
    for table in TABLES {
        let of_it: Vec<&Value> =
            lines.iter().copied().filter(|line| line["workload"] == table.0).collect();
        for variant in distinct(of_it.iter().map(|line| variant(line))) {
            let lines: Vec<&Value> =
                of_it.iter().copied().filter(|line| self::variant(line) == variant).collect();
            write_table(&mut out, &table, &variant, &lines);
        }
    }
    out
}

fn write_table(
    out: &mut String,
    (workload, title, columns): &Table,
    variant: &str,
    lines: &[&Value],
) {
    let heads: Vec<_> = columns.iter().map(|column| column.0).collect();
    let _ = writeln!(out, "\n### {workload} {title} ({variant})\n");
    let _ = writeln!(out, "| server | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|{}", "--:|".repeat(columns.len()));
    // the rate of a paced run is given
    let by = if variant.contains("paced") { "p50_us" } else { columns[0].1 };
    for label in distinct(lines.iter().map(|line| cell(&line["label"]))) {
        let mut runs: Vec<&Value> = lines
            .iter()
            .filter(|line| line["label"] == label)
            .map(|line| &line["result"])
            .collect();
        runs.sort_by(|a, b| key(a, by).total_cmp(&key(b, by)));
        let typical = runs[runs.len() / 2];
        let label = format!("{label} ({})", runs.len());
        let error = typical["error"].as_str();
        let _ = match error {
            Some(error) if typical["joined"].is_null() => {
                writeln!(out, "| {label} | {error}; {} |", cell(&typical["faults"]))
            }
            _ => {
                let cell = |column: &(&str, &str)| {
                    median(&runs, column.1).map_or_else(
                        || cell(look_up(typical, column.1)),
                        |number| cell(&json!(number)),
                    )
                };
                let cells: Vec<_> = columns.iter().map(cell).collect();
                let note = error.map_or(String::new(), |error| format!(" ({error})"));
                writeln!(out, "| {label}{note} | {} |", cells.join(" | "))
            }
        };
    }
}

fn key(result: &Value, by: &str) -> f64 {
    result[by].as_f64().unwrap_or(-1.0)
}

/// The median of those results that have this number.
pub(super) fn median(results: &[&Value], name: &str) -> Option<f64> {
    let numbers = results.iter().filter_map(|result| look_up(result, name).as_f64());
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

/// A plain name, or a path that starts with a slash.
fn look_up<'a>(result: &'a Value, name: &str) -> &'a Value {
    if name.starts_with('/') { result.pointer(name).unwrap_or(&Value::Null) } else { &result[name] }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Object(map) if map.is_empty() => "none".into(),
        Value::Object(map) => {
            let cells: Vec<_> =
                map.iter().map(|(name, value)| format!("{name} {}", cell(value))).collect();
            cells.join(", ")
        }
        Value::Number(number) => match number.as_f64() {
            Some(number) if number >= 10_000.0 => format!("{:.0} k", number / 1000.0),
            Some(number) if number.fract() == 0.0 => format!("{number:.0}"),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(_) => value.to_string(),
    }
}

fn variant(line: &Value) -> String {
    let of = |name: &str| line[name].to_string();
    let (members, window, payload) = (of("members"), of("window"), of("payload"));
    match line["workload"].as_str() {
        _ if line["payload"].is_null() => format!("{}: no run", cell(&line["case"])),
        Some("R1") if line["rate"].as_u64() > Some(0) => {
            format!("M = {members}, paced {} messages/s, {payload} B", of("rate"))
        }
        Some("R1") => format!("M = {members}, window {window}, {payload} B"),
        Some("R2") => format!("{} rooms x {members}, window {window}, {payload} B", of("rooms")),
        Some("R3") => format!("{} pairs, window {window}, {payload} B", of("rooms")),
        Some("R4") => format!("{} connections, {} at a time", of("connections"), of("concurrency")),
        Some("R5") => format!("{} at a time", of("concurrency")),
        _ => format!("{members} members, {payload} B"),
    }
}

/// Each once, in the order in which they come.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    texts.fold(Vec::new(), |mut seen, text| {
        if !seen.contains(&text) {
            seen.push(text);
        }
        seen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shows_the_median_of_each_column_and_how_many_runs_there_were() {
        let line = |label: &str, rate: u32, p50: f64| {
            json!({
                "workload": "R3", "label": label, "rooms": 100, "window": 1, "payload": 128,
                "result": { "messages_per_s": rate, "p50_us": p50, "faults": {} },
            })
        };
        let lines =
            [line("a", 100, 9.5), line("b", 20_000, 1.0), line("a", 300, 7.5), line("a", 200, 8.5)];
        let tables = tables(&lines.iter().collect::<Vec<_>>());
        assert!(tables.contains("### R3 direct, pairs (100 pairs, window 1, 128 B)"), "{tables}");
        assert!(tables.contains("| a (3) | 200 | - | 8.5 | - | - | - | - | none |"), "{tables}");
        assert!(tables.contains("| b (1) | 20 k | - | 1 |"), "{tables}");
    }

    #[test]
    fn a_run_that_could_not_be_set_up_shows_why() {
        let result = json!({ "error": "set-up: refused", "faults": { "upgrade_failures": 4 } });
        let line = json!({ "workload": "R5", "label": "a", "case": "R5", "result": result });
        let tables = tables(&[&line]);
        assert!(tables.contains("| a (1) | set-up: refused; upgrade_failures 4 |"), "{tables}");
    }
}
