//! Inspections: what a receiver's inspector decided about a delivery, as a record of the receiver's own. The fields have one
//! vocabulary, so that whoever is shown one years later reads what was judged, by what, by whom, and why.
//!
//! | path | what it says |
//! |---|---|
//! | `inspection/disposition` | `accept`, `hold` or `reject`: what the inspector decided. It marks such a record |
//! | `inspection/verdict` | the same words: what the evidence came to |
//! | `inspection/reason` | why; required where the two differ |
//! | `inspection/inspector`, `inspection/time` | who, and when |
//! | `inspection/order`, `…/policy`, `…/readings` | the files that it was judged by, as documents |
//! | `inspection/lot/<n>/capsule` | a lot's capsule, as a document; one at least |
//! | `inspection/lot/<n>/header`, `…/height`, `…/verdict` | the header that it was judged as of, and what it came to |
//! | `inspection/finding/<n>` | a line of the verdict that is not accepted |
//!
//! Refuses a decision against the evidence without a reason.

use super::draft::Draft;
use super::fault::What;
use super::own::check_moment;
use crate::{Path, Value};

/// Marks a record as an inspection.
pub const DISPOSITION: &str = "inspection/disposition";
const VERDICT: &str = "inspection/verdict";
const REASON: &str = "inspection/reason";
const TIME: &str = "inspection/time";
const LOTS: &str = "inspection/lot/";
const WORDS: [&str; 3] = ["accept", "hold", "reject"];

/// Whether a file of our own form records an inspection.
pub(super) fn is_one(draft: &Draft) -> bool {
    draft.field(DISPOSITION).is_some()
}

/// Checks that an inspection says what was judged, by whom, and why.
pub(super) fn check(draft: &mut Draft) {
    for path in [DISPOSITION, VERDICT] {
        check_word(draft, path);
    }
    for path in ["inspection/inspector", TIME] {
        match draft.field(path) {
            Some(Value::Text(text)) if text.trim().is_empty() => draft.fault(path, What::Missing),
            None => draft.fault(path, What::Missing),
            Some(_) => {}
        }
    }
    check_moment(draft, TIME);
    if draft.field(DISPOSITION) != draft.field(VERDICT) && !is_text(draft.field(REASON)) {
        draft.fault(REASON, What::NoReason);
    }
    check_lots(draft);
}

fn check_lots(draft: &mut Draft) {
    let below = |path: &Path| Some(path.as_str().strip_prefix(LOTS)?.split_once('/')?.0.to_owned());
    let lots: std::collections::BTreeSet<String> =
        draft.fields().iter().filter_map(|(path, _)| below(path)).collect();
    if lots.is_empty() {
        draft.fault("inspection/lot", What::Missing);
    }
    for lot in lots {
        let capsule = format!("{LOTS}{lot}/capsule");
        if !matches!(draft.field(&capsule), Some(Value::Document(_))) {
            draft.fault(&capsule, What::Missing);
        }
        check_word(draft, &format!("{LOTS}{lot}/verdict"));
    }
}

fn check_word(draft: &mut Draft, path: &str) {
    match draft.field(path) {
        None => draft.fault(path, What::Missing),
        Some(Value::Text(text)) if WORDS.contains(&text.as_str()) => {}
        Some(_) => draft.fault(path, What::BadVerdict),
    }
}

fn is_text(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Text(text)) if !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::super::{NoOrigin, read};

    const SOUND: &str = r#"{"Heatmark": "1", "certificate/number": "I-1", "certificate/issued": "2026-11-21",
        "inspection": {"disposition": "accept", "verdict": "accept", "inspector": "Anna Berg",
            "time": "2026-11-21T12:00:00Z", "order": {"sha256": "HASH", "length": 10},
            "lot": {"1": {"capsule": {"sha256": "HASH", "length": 10}, "verdict": "accept"}}}}"#;

    fn faults(text: &str) -> Vec<String> {
        let text = text.replace("HASH", &"ab".repeat(32));
        read(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_inspection_is_a_record_that_commissions_nothing() {
        let read = read(SOUND.replace("HASH", &"ab".repeat(32)).as_bytes()).unwrap();
        assert_eq!(read.form_name(), "inspection Heatmark 1");
        assert_eq!(read.origin(), Err(NoOrigin::Inspection));
    }

    #[test]
    fn a_decision_against_the_evidence_needs_a_reason() {
        let other = SOUND.replacen(r#""verdict": "accept""#, r#""verdict": "hold""#, 1);
        assert_eq!(
            faults(&other),
            ["inspection/reason: differs from the verdict, and no reason is given"]
        );
        let blank = other.replace(r#""order""#, r#""reason": "  ", "order""#);
        assert_eq!(faults(&blank).len(), 1);
        let reasoned = other.replace(r#""order""#, r#""reason": "seen and measured", "order""#);
        assert!(read(reasoned.replace("HASH", &"ab".repeat(32)).as_bytes()).is_ok());
    }

    #[test]
    fn what_lacks_is_named() {
        for (from, to, place) in [
            (r#""inspector": "Anna Berg","#, "", "inspection/inspector"),
            ("2026-11-21T12:00:00Z", "noon", "inspection/time"),
            (r#""disposition": "accept""#, r#""disposition": "scrap""#, "inspection/disposition"),
            (r#""capsule": {"sha256": "HASH", "length": 10}, "#, "", "inspection/lot/1/capsule"),
            (r#""lot""#, r#""lots""#, "inspection/lot"),
        ] {
            let found = faults(&SOUND.replace(from, to));
            assert!(found.iter().any(|fault| fault.starts_with(place)), "{place}: {found:?}");
        }
    }
}
