//! Which verdict is good enough.

use crate::report::Verdict;

/// What a case counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Passed,
    Failed,
    /// About compression, which the agent does not have: neither passed nor failed.
    NotForIt,
}

/// Invalid UTF-8 inside a frame that is not complete yet. RFC 6455 allows to wait for the rest of it; a strict peer
/// does not wait.
const MAY_BE_LATE: [&str; 2] = ["6.4.3", "6.4.4"];

/// What `verdict` means for `case` of an agent with or without permessage-deflate.
pub(crate) fn judge(case: &str, verdict: Verdict, has_deflate: bool) -> Judgement {
    match verdict {
        Verdict::Ok | Verdict::Informational => Judgement::Passed,
        Verdict::NonStrict if MAY_BE_LATE.contains(&case) => Judgement::Passed,
        Verdict::Unimplemented if is_of_deflate(case) && !has_deflate => Judgement::NotForIt,
        Verdict::NonStrict | Verdict::Unimplemented | Verdict::Unclean | Verdict::Failed => {
            Judgement::Failed
        }
    }
}

fn is_of_deflate(case: &str) -> bool {
    case.starts_with("12.") || case.starts_with("13.")
}

#[cfg(test)]
mod tests {
    use super::Judgement::{Failed, NotForIt, Passed};
    use super::*;

    #[test]
    fn being_late_is_allowed_in_two_cases_only() {
        assert_eq!(judge("6.4.3", Verdict::NonStrict, true), Passed);
        assert_eq!(judge("6.4.4", Verdict::NonStrict, false), Passed);
        assert_eq!(judge("6.4.2", Verdict::NonStrict, false), Failed);
    }

    #[test]
    fn only_compression_may_be_missing_and_only_where_it_is_not_offered() {
        assert_eq!(judge("12.1.1", Verdict::Unimplemented, false), NotForIt);
        assert_eq!(judge("13.7.18", Verdict::Unimplemented, false), NotForIt);
        assert_eq!(judge("13.7.18", Verdict::Unimplemented, true), Failed);
        assert_eq!(judge("1.2.1", Verdict::Unimplemented, false), Failed);
    }

    #[test]
    fn an_unclean_end_is_a_failure() {
        assert_eq!(judge("7.1.1", Verdict::Unclean, false), Failed);
        assert_eq!(judge("7.1.1", Verdict::Informational, false), Passed);
    }
}
