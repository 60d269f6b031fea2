//! How long the steps of a deal may take: all of them by one flag, single ones by their own. Refuses times for steps that the deal
//! does not have, and deals that would last longer than the log takes.

use super::super::day::DAY_MS;
use super::super::failure::Failure;
use clap::Args;
use heatmark_client::{DealLengths, OfferedClause};
use heatmark_desk::Lengths;

/// As long as a deal may last in all.
const MAX_DEAL_MS: u64 = 400 * DAY_MS;

/// Times that steps may take.
#[derive(Debug, Default, Args)]
pub(crate) struct Within {
    /// How long each step may take that has no flag of its own: 90s, 30m, 12h, 3d
    #[arg(long, value_name = "DURATION")]
    each: Option<String>,
    /// How long the owner may take to accept, where it does so by hand [default: 3d]
    #[arg(long, value_name = "DURATION")]
    accept_within: Option<String>,
    /// How long the payment may take, where there is one [default: 7d]
    #[arg(long, value_name = "DURATION")]
    fund_within: Option<String>,
    /// How long agents may take to say that they are ready [default: 1d]
    #[arg(long, value_name = "DURATION")]
    ready_within: Option<String>,
    /// How long they may then take to release their shares; in its last quarter none does [default: 1d]
    #[arg(long, value_name = "DURATION")]
    release_within: Option<String>,
    /// For how long you may then dispute what was opened [default: 7d]
    #[arg(long, value_name = "DURATION")]
    confirm_within: Option<String>,
    /// How long the arbiter may take to rule a dispute [default: 14d]
    #[arg(long, value_name = "DURATION")]
    rule_within: Option<String>,
}

impl Within {
    /// The times for a request; none where no flag says any.
    pub(super) fn lengths(&self) -> Result<Option<DealLengths>, Failure> {
        let given = [
            &self.each,
            &self.accept_within,
            &self.fund_within,
            &self.ready_within,
            &self.release_within,
            &self.confirm_within,
            &self.rule_within,
        ];
        if given.iter().all(|text| text.is_none()) {
            return Ok(None);
        }
        let usual = Lengths::default();
        let of = |text: &Option<String>, usual: u64| match text.as_ref().or(self.each.as_ref()) {
            Some(text) => length_ms(text),
            None => Ok(usual),
        };
        Ok(Some(DealLengths {
            accept_ms: of(&self.accept_within, usual.accept)?,
            fund_ms: of(&self.fund_within, usual.fund)?,
            ready_ms: of(&self.ready_within, usual.ready)?,
            release_ms: of(&self.release_within, usual.release)?,
            confirm_ms: of(&self.confirm_within, usual.confirm)?,
            rule_ms: of(&self.rule_within, usual.rule)?,
        }))
    }

    /// Holds them against the clause: what it has no step for, and what is too long in all. `paid` says whether this deal
    /// pays.
    pub(super) fn check(
        &self,
        lengths: Option<&DealLengths>,
        clause: &OfferedClause,
        paid: bool,
    ) -> Result<(), Failure> {
        let idle = [
            (&self.accept_within, clause.by_hand, "--accept-within", "accepted by hand"),
            (&self.fund_within, paid, "--fund-within", "to be paid"),
            (&self.rule_within, paid, "--rule-within", "to be paid, nor to rule on"),
        ];
        let wrong = idle.iter().find(|(given, has, ..)| given.is_some() && !has);
        if let Some((_, _, flag, what)) = wrong {
            let said = format!("nothing in this deal under {:?} is {what}", clause.name);
            return Err(Failure::input(said).next(format!("leave out {flag}")));
        }
        let Some(lengths) = lengths else { return Ok(()) };
        let of = |needed: bool, ms: u64| if needed { ms } else { 0 };
        let all = [
            of(clause.by_hand, lengths.accept_ms),
            of(paid, lengths.fund_ms),
            lengths.ready_ms,
            lengths.release_ms,
            lengths.confirm_ms,
            of(paid, lengths.rule_ms),
        ];
        if all.into_iter().fold(0, u64::saturating_add) <= MAX_DEAL_MS {
            Ok(())
        } else {
            Err(Failure::input("a deal lasts 400 days at most")
                .because("the times of its steps come to more")
                .next("give some of them less"))
        }
    }
}

fn length_ms(text: &str) -> Result<u64, Failure> {
    duration_ms(text).ok_or_else(|| {
        Failure::input(format!("{text:?} is no time that a step may take"))
            .next("write a number and s, m, h or d: 90s, 30m, 12h, 3d; from 1s to 400d")
    })
}

/// A number and its unit.
fn duration_ms(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let ms = match unit {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => DAY_MS,
        _ => return None,
    };
    let number = text.strip_suffix(unit)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|number| digits && *number > 0)?;
    number.checked_mul(ms).filter(|length| *length <= MAX_DEAL_MS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn paid_by_hand() -> OfferedClause {
        OfferedClause { by_hand: true, currency: "EUR".to_owned(), ..OfferedClause::default() }
    }

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration_ms("90s"), Some(90_000));
        assert_eq!(duration_ms("30m"), Some(1_800_000));
        assert_eq!(duration_ms("12h"), Some(43_200_000));
        assert_eq!(duration_ms("400d"), Some(400 * 86_400_000));
        for text in
            ["", "s", "0s", "401d", "1", "1w", "-1s", "+1s", "1.5h", "18446744073709551615d", "1é"]
        {
            assert_eq!(duration_ms(text), None, "{text}");
        }
    }

    #[test]
    fn a_step_has_its_own_time_or_that_of_all_or_the_usual_one() {
        assert_eq!(Within::default().lengths().unwrap(), None);
        let one = Within { fund_within: some("30m"), ..Within::default() };
        let lengths = one.lengths().unwrap().unwrap();
        let usual = Lengths::default();
        assert_eq!((lengths.fund_ms, lengths.rule_ms), (1_800_000, usual.rule));
        assert_eq!((lengths.accept_ms, lengths.ready_ms), (usual.accept, usual.ready));
        assert_eq!((lengths.release_ms, lengths.confirm_ms), (usual.release, usual.confirm));
        let both = Within { each: some("1h"), rule_within: some("2d"), ..Within::default() };
        let lengths = both.lengths().unwrap().unwrap();
        let hour = 3_600_000;
        let expected = DealLengths {
            accept_ms: hour,
            fund_ms: hour,
            ready_ms: hour,
            release_ms: hour,
            confirm_ms: hour,
            rule_ms: 2 * 86_400_000,
        };
        assert_eq!(lengths, expected);
        let wrong = Within { ready_within: some("soon"), ..Within::default() };
        assert!(wrong.lengths().is_err());
    }

    #[test]
    fn a_time_for_a_step_that_the_deal_does_not_have_is_refused() {
        let free = OfferedClause::default();
        for within in [
            Within { accept_within: some("1d"), ..Within::default() },
            Within { fund_within: some("1d"), ..Within::default() },
            Within { rule_within: some("1d"), ..Within::default() },
        ] {
            let lengths = within.lengths().unwrap();
            assert!(within.check(lengths.as_ref(), &free, false).is_err(), "{within:?}");
            assert!(within.check(lengths.as_ref(), &paid_by_hand(), true).is_ok(), "{within:?}");
        }
        let all = Within { each: some("1d"), ..Within::default() };
        assert!(all.check(all.lengths().unwrap().as_ref(), &free, false).is_ok());
    }

    #[test]
    fn a_deal_that_would_last_too_long_is_refused_by_the_steps_that_it_has() {
        let within = Within { each: some("100d"), ..Within::default() };
        let lengths = within.lengths().unwrap();
        assert!(within.check(lengths.as_ref(), &OfferedClause::default(), false).is_ok());
        assert!(within.check(lengths.as_ref(), &paid_by_hand(), true).is_err());
        let least = Within { each: some("66d"), ..Within::default() };
        let lengths = least.lengths().unwrap();
        assert!(least.check(lengths.as_ref(), &paid_by_hand(), true).is_ok());
    }
}
