//! What each contestant is put through.

/// A workload with its options.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    /// By what it is asked for.
    pub(super) name: &'static str,
    pub(super) options: &'static [&'static str],
    /// How much longer than the others it is measured.
    pub(super) times: f64,
    /// In the suite without being named.
    pub(super) default: bool,
}

const fn case(name: &'static str, options: &'static [&'static str]) -> Case {
    Case { name, options, times: 1.0, default: true }
}

/// R5 is last: some servers do not survive it.
pub(super) const CASES: [Case; 10] = [
    case("R4", &["R4"]),
    case("R1", &["R1", "--members", "100"]),
    case("R1-paced", &["R1", "--members", "100", "--rate", "1000"]),
    case("R1-open", &["R1", "--members", "100", "--rate", "12000"]),
    Case { default: false, ..case("R1-10", &["R1", "--members", "10"]) },
    Case { default: false, ..case("R1-1000", &["R1", "--members", "1000"]) },
    case("R2", &["R2"]),
    case("R3", &["R3"]),
    case("R6", &["R6"]),
    Case { times: 2.0, ..case("R5", &["R5"]) },
];
