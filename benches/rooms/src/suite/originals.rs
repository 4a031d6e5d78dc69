//! How rooms-server does beside the servers whose protocols it speaks.
//!
//! Those were measured once, on a machine of their own, each beside a floor of the same kind. What holds on any machine
//! is the relation to the floor of the same run; figures in microseconds are shown beside it, and judge nothing.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::contestant::{EASY, FLOOR, GROWS, IRIS, ROOMS};
use super::verdict::median_of;

const CPU: &str = "cpu_us_per_delivery";

/// Servers by the protocol that they speak: CPU in microseconds on one core; `None` where one died or was not measured.
struct Row {
    case: &'static str,
    what: &'static str,
    field: &'static str,
    floor: f64,
    wsrooms: Option<f64>,
    grows: Option<f64>,
    easy: Option<f64>,
    iris: Option<f64>,
}

const ROWS: [Row; 6] = [
    row("R1", "CPU us/delivery", CPU, 2.238, [Some(2.951), Some(4.479), Some(3.17), Some(3.43)]),
    row(
        "R1-paced",
        "CPU us/delivery",
        CPU,
        2.516,
        [Some(3.829), Some(5.368), Some(3.813), Some(3.491)],
    ),
    row("R2", "CPU us/delivery", CPU, 2.73, [Some(5.738), Some(7.758), Some(4.211), Some(3.904)]),
    row("R3", "CPU us/message", CPU, 3.302, [Some(8.414), Some(15.433), Some(6.543), Some(6.165)]),
    row(
        "R4",
        "CPU us/join",
        "cpu_us_per_join",
        11.9,
        [Some(3597.9), Some(82.5), Some(71.8), Some(167.6)],
    ),
    row(
        "R5",
        "CPU us/cycle",
        "cpu_us_per_cycle",
        19.6,
        [None, Some(90.7), Some(89.2), Some(174.0)],
    ),
];

const fn row(
    case: &'static str,
    what: &'static str,
    field: &'static str,
    floor: f64,
    [wsrooms, grows, easy, iris]: [Option<f64>; 4],
) -> Row {
    Row { case, what, field, floor, wsrooms, grows, easy, iris }
}

/// A table of who is above the original; the same as JSON. Empty where the floor was not measured.
pub(super) fn compare(lines: &[&Value]) -> (String, Value) {
    let mut table = String::from(
        "| row | figure | server | original, us | x its floor | here, us | x its floor | not above |\n\
         |---|---|---|--:|--:|--:|--:|---|\n",
    );
    let mut all = Vec::new();
    for row in &ROWS {
        let Some(floor) = median_of(lines, row.case, FLOOR, row.field) else { continue };
        for (label, original) in row.originals() {
            let Some(original) = original else { continue };
            let Some(here) = median_of(lines, row.case, label, row.field) else { continue };
            let (then, now) = (original / row.floor, here / floor);
            let word = if now <= then { "yes" } else { "**no**" };
            let Row { case, what, .. } = row;
            let _ = writeln!(
                table,
                "| {case} | {what} | {label} | {original} | {then:.2} | {here:.3} | {now:.2} | {word} |"
            );
            all.push(json!({
                "case": case, "figure": what, "label": label, "original": original,
                "original_x_floor": then, "here": here, "here_x_floor": now, "holds": now <= then,
            }));
        }
    }
    if all.is_empty() {
        table.clear();
    }
    (table, Value::Array(all))
}

impl Row {
    fn originals(&self) -> [(&'static str, Option<f64>); 4] {
        [(ROOMS, self.wsrooms), (GROWS, self.grows), (EASY, self.easy), (IRIS, self.iris)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, cpu: f64) -> Value {
        json!({ "case": "R1", "label": label, "result": { CPU: cpu } })
    }

    #[test]
    fn a_slower_machine_is_no_reason_to_be_above_the_original() {
        // Twice as slow a machine: 1.53 times the floor is what the original of iris had.
        let lines = [line(FLOOR, 4.476), line(IRIS, 6.8), line(EASY, 6.9), line(GROWS, 4.0)];
        let (table, json) = compare(&lines.iter().collect::<Vec<_>>());
        let holds: Vec<_> =
            json.as_array().unwrap().iter().map(|row| (&row["label"], &row["holds"])).collect();
        assert_eq!(
            holds,
            [
                (&json!(GROWS), &json!(true)),
                (&json!(EASY), &json!(false)),
                (&json!(IRIS), &json!(true))
            ],
            "{table}"
        );
    }

    #[test]
    fn without_a_floor_nothing_is_compared() {
        assert_eq!(compare(&[&line(IRIS, 1.0)]), (String::new(), json!([])));
    }
}
