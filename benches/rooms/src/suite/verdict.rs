//! Which of the figures that rooms-server is to reach it reaches.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::contestant::{AXUM, EASY, GROWS, IRIS, ROOMS, ROOMS_RAW};
use super::table::median;

/// One figure with its bounds: what is to be reached now, and what then.
#[derive(Clone, Copy, Debug)]
struct Rule {
    case: &'static str,
    what: &'static str,
    measure: Measure,
    bound: Bound,
    then: f64,
}

#[derive(Clone, Copy, Debug)]
enum Measure {
    Field(&'static str),
    /// In relation to the naive axum server of the same run.
    TimesAxum(&'static str),
    /// By how many MiB memory grew in the second half, in the worst run.
    Growth,
    /// How many files more are open than before, in the worst run.
    FilesLeft,
    /// 1 if the member that stops reading was closed in every run, else 0.
    SlowIsClosed,
    /// In how many runs of this case something went wrong.
    FaultyRuns,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

use Bound::{AtLeast, AtMost};
use Measure::{Field, TimesAxum};

const CPU: &str = "cpu_us_per_delivery";
const UNTOLD: &str = "`new_member` missing";
const FAULTY: &str = "faulty runs";
/// 12,000 messages/s to 100 members, but for what is in flight when the time is over.
const IN_FULL: f64 = 12_000.0 * 100.0 * 0.995;

const RULES: [Rule; 25] = [
    rule("R1", "CPU us/delivery", Field(CPU), AtMost(0.4), 0.22),
    rule("R1-paced", "CPU/delivery, x axum", TimesAxum(CPU), AtMost(1.0), 0.9),
    rule("R1-open", "deliveries/s", Field("deliveries_per_s"), AtLeast(IN_FULL), IN_FULL),
    rule("R1-open", "p50 us", Field("p50_us"), AtMost(1000.0), 500.0),
    rule("R2", "CPU/delivery, x axum", TimesAxum(CPU), AtMost(0.65), 0.5),
    rule("R2", "p99 us", Field("p99_us"), AtMost(40_000.0), 20_000.0),
    rule("R3", "CPU/message, x axum", TimesAxum(CPU), AtMost(0.75), 0.63),
    rule("R4", "KiB/connection", Field("rss_kib_per_connection"), AtMost(15.0), 8.0),
    rule("R4", "joins/s", Field("joins_per_s"), AtLeast(800.0), 2000.0),
    rule("R4", UNTOLD, Field("announcements_missing"), AtMost(0.0), 0.0),
    rule("R5", "CPU us/cycle", Field("cpu_us_per_cycle"), AtMost(80.0), 45.0),
    rule("R5", "MiB grown in 2nd half", Measure::Growth, AtMost(1.0), 1.0),
    rule("R5", "open files left", Measure::FilesLeft, AtMost(0.0), 0.0),
    rule("R6", "rate early / before", Field("ratio_early"), AtLeast(0.95), 0.95),
    rule("R6", "rate late / before", Field("ratio_late"), AtLeast(0.95), 0.95),
    rule("R6", "longest gap s", Field("longest_gap_s"), AtMost(0.1), 0.1),
    rule("R6", "slow member closed", Measure::SlowIsClosed, AtLeast(1.0), 1.0),
    rule("R6", "others cut", Field("others_cut"), AtMost(0.0), 0.0),
    rule("R4", FAULTY, Measure::FaultyRuns, AtMost(0.0), 0.0),
    rule("R1", FAULTY, Measure::FaultyRuns, AtMost(0.0), 0.0),
    rule("R1-paced", FAULTY, Measure::FaultyRuns, AtMost(0.0), 0.0),
    rule("R1-open", FAULTY, Measure::FaultyRuns, AtMost(0.0), 0.0),
    rule("R2", FAULTY, Measure::FaultyRuns, AtMost(0.0), 0.0),
    rule("R3", FAULTY, Measure::FaultyRuns, AtMost(0.0), 0.0),
    rule("R5", FAULTY, Measure::FaultyRuns, AtMost(0.0), 0.0),
];

const fn rule(
    case: &'static str,
    what: &'static str,
    measure: Measure,
    bound: Bound,
    then: f64,
) -> Rule {
    Rule { case, what, measure, bound, then }
}

/// What became of a rule for one contestant.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    NotMeasured,
    Missed(f64),
    Reached(f64),
    /// Reached, and what comes after it too.
    Beyond(f64),
}

/// The columns: what is ours.
const OURS: [&str; 5] = [ROOMS, ROOMS_RAW, GROWS, EASY, IRIS];

/// A table of the rules, and the same as JSON. The bounds on CPU and latency are for wsrooms and raw; the other
/// protocols are held to memory, fairness and to be without faults, and to their originals elsewhere.
pub(super) fn judge(lines: &[&Value]) -> (String, Value) {
    let mut table = String::from("| row | figure | reach | then |");
    table.extend(OURS.map(|label| format!(" {label} | holds |")));
    let _ = writeln!(table, "\n|---|---|--:|--:|{}", "--:|---|".repeat(OURS.len()));
    let mut all = Vec::new();
    for rule in RULES {
        let outcomes = OURS.map(|label| rule.outcome(lines, label));
        if outcomes.iter().all(|outcome| *outcome == Outcome::NotMeasured) {
            continue;
        }
        let (sign, reach) = match rule.bound {
            AtMost(bound) => ("<=", bound),
            AtLeast(bound) => (">=", bound),
        };
        let Rule { case, what, then, .. } = rule;
        let _ = write!(table, "| {case} | {what} | {sign} {reach} | {sign} {then} |");
        let mut line = json!({
            "case": case, "figure": what, "reach": format!("{sign} {reach}"), "then": then,
        });
        for (label, outcome) in OURS.into_iter().zip(outcomes) {
            let _ = write!(table, " {} | {} |", outcome.figure(), outcome.word());
            line[label] = json!({ "figure": outcome.number(), "holds": outcome.word() });
        }
        table.push('\n');
        all.push(line);
    }
    (table, Value::Array(all))
}

/// The median of a figure over the runs of a contestant.
pub(super) fn median_of(lines: &[&Value], case: &str, label: &str, field: &str) -> Option<f64> {
    median(&runs(lines, case, label), field)
}

impl Rule {
    /// Whether it is for this contestant.
    fn is_for(&self, label: &str) -> bool {
        let is_speed = matches!(self.case, "R1" | "R1-paced" | "R1-open" | "R2" | "R3")
            || matches!(self.what, "joins/s" | "CPU us/cycle");
        if self.what == UNTOLD {
            return label == ROOMS;
        }
        !is_speed || [ROOMS, ROOMS_RAW].contains(&label) || self.what == FAULTY
    }

    fn outcome(&self, lines: &[&Value], label: &str) -> Outcome {
        if !self.is_for(label) {
            return Outcome::NotMeasured;
        }
        let Some(figure) = self.figure(lines, label) else { return Outcome::NotMeasured };
        let holds = |bound: f64| match self.bound {
            AtMost(_) => figure <= bound,
            AtLeast(_) => figure >= bound,
        };
        let (AtMost(reach) | AtLeast(reach)) = self.bound;
        match (holds(reach), holds(self.then)) {
            (true, true) => Outcome::Beyond(figure),
            (true, false) => Outcome::Reached(figure),
            (false, _) => Outcome::Missed(figure),
        }
    }

    fn figure(&self, lines: &[&Value], label: &str) -> Option<f64> {
        let runs = runs(lines, self.case, label);
        if runs.is_empty() {
            return None;
        }
        match self.measure {
            // A run that failed has no figure: it misses.
            Field(name) => median(&runs, name).or(Some(f64::NAN)),
            TimesAxum(name) => {
                let axum = median(&self::runs(lines, self.case, AXUM), name)?;
                Some(median(&runs, name).map_or(f64::NAN, |own| round(own / axum)))
            }
            Measure::Growth => Some(most_over(&runs, "rss_mib_after", "rss_mib_middle")),
            Measure::FilesLeft => Some(most_over(&runs, "files_after", "files_before")),
            Measure::SlowIsClosed => {
                Some(f64::from(u8::from(runs.iter().all(|run| is_slow_closed(run)))))
            }
            Measure::FaultyRuns => Some(runs.iter().filter(|run| is_faulty(run)).count() as f64),
        }
    }
}

/// The results of a contestant in a case.
fn runs<'a>(lines: &[&'a Value], case: &str, label: &str) -> Vec<&'a Value> {
    let of_it = lines.iter().filter(|line| line["case"] == case && line["label"] == label);
    of_it.map(|line| &line["result"]).collect()
}

/// The most that any run has of `later` over `earlier`; NaN if one has neither.
fn most_over(runs: &[&Value], later: &str, earlier: &str) -> f64 {
    let over = |run: &&Value| Some(run[later].as_f64()? - run[earlier].as_f64()?);
    let all = runs.iter().map(|run| over(run).unwrap_or(f64::NAN));
    all.fold(
        f64::MIN,
        |most, one| if most.is_nan() || one.is_nan() { f64::NAN } else { round(most.max(one)) },
    )
}

fn is_slow_closed(run: &Value) -> bool {
    run["slow"]["end"].as_object().is_some_and(|ends| !ends.is_empty())
}

fn is_faulty(run: &Value) -> bool {
    let yes = |name: &str| run[name] == json!(true);
    let faults = run["faults"].as_object().is_none_or(|faults| !faults.is_empty());
    let unusable = run["usable_afterwards"] == json!(false);
    faults
        || unusable
        || yes("server_died")
        || yes("stalled")
        || yes("stuck")
        || !run["error"].is_null()
}

fn round(figure: f64) -> f64 {
    (figure * 1000.0).round() / 1000.0
}

impl Outcome {
    fn number(self) -> Option<f64> {
        match self {
            Self::NotMeasured => None,
            Self::Missed(figure) | Self::Reached(figure) | Self::Beyond(figure) => Some(figure),
        }
    }

    fn figure(self) -> String {
        let known = self.number().filter(|figure| !figure.is_nan());
        known.map_or("-".to_owned(), |figure| figure.to_string())
    }

    fn word(self) -> &'static str {
        match self {
            Self::NotMeasured => "-",
            Self::Missed(_) => "**no**",
            Self::Reached(_) => "yes",
            Self::Beyond(_) => "yes, then too",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(case: &str, label: &str, result: &Value) -> Value {
        json!({ "case": case, "label": label, "result": result })
    }

    fn outcome(rule: usize, lines: &[Value]) -> Outcome {
        RULES[rule].outcome(&lines.iter().collect::<Vec<_>>(), ROOMS)
    }

    #[test]
    fn a_figure_within_both_bounds_is_beyond_within_one_reached_and_else_missed() {
        for (cpu, expected) in [
            (0.2, Outcome::Beyond(0.2)),
            (0.4, Outcome::Reached(0.4)),
            (0.41, Outcome::Missed(0.41)),
        ] {
            assert_eq!(outcome(0, &[line("R1", ROOMS, &json!({ CPU: cpu }))]), expected);
        }
        assert_eq!(outcome(0, &[line("R2", ROOMS, &json!({ CPU: 1 }))]), Outcome::NotMeasured);
    }

    #[test]
    fn a_relation_to_axum_is_that_of_the_medians() {
        let mut lines: Vec<_> =
            [4.0, 1.0, 2.0].map(|cpu| line("R2", ROOMS, &json!({ CPU: cpu }))).into();
        assert_eq!(outcome(4, &lines), Outcome::NotMeasured);
        lines.extend([10.0, 5.0, 1.0].map(|cpu| line("R2", AXUM, &json!({ CPU: cpu }))));
        assert_eq!(outcome(4, &lines), Outcome::Beyond(0.4));
    }

    #[test]
    fn a_run_without_the_figure_misses() {
        let outcome = outcome(0, &[line("R1", ROOMS, &json!({ "error": "set-up" }))]);
        assert!(matches!(outcome, Outcome::Missed(figure) if figure.is_nan()), "{outcome:?}");
    }

    #[test]
    fn growth_is_that_of_the_worst_run_and_unknown_if_one_has_none() {
        let run = |after: f64| json!({ "rss_mib_middle": 5.0, "rss_mib_after": after });
        let (small, large, none) = (run(5.5), run(7.25), json!({}));
        let grown = |runs: &[&Value]| most_over(runs, "rss_mib_after", "rss_mib_middle");
        assert_eq!(grown(&[&small, &large, &small]), 2.25);
        assert!(grown(&[&none, &small]).is_nan() && grown(&[&small, &none]).is_nan());
    }

    #[test]
    fn every_way_to_go_wrong_is_a_faulty_run() {
        let clean = json!({ "faults": {}, "stalled": false, "error": null });
        assert!(!is_faulty(&clean));
        for (name, value) in [
            ("faults", json!({ "corrupt": 1 })),
            ("faults", Value::Null),
            ("stalled", json!(true)),
            ("server_died", json!(true)),
            ("usable_afterwards", json!(false)),
            ("error", json!("set-up")),
        ] {
            let mut run = clean.clone();
            run[name] = value;
            assert!(is_faulty(&run), "{run}");
        }
    }

    #[test]
    fn the_slow_member_is_closed_only_if_it_was_seen_to_end() {
        assert!(is_slow_closed(&json!({ "slow": { "end": { "close 1013": 1 } } })));
        assert!(!is_slow_closed(&json!({ "slow": { "end": "still open" } })));
        assert!(!is_slow_closed(&json!({ "slow": { "end": {} } })));
    }
}
