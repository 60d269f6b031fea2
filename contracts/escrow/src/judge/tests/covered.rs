//! Standing deals: one is paid for, others follow.

use super::*;
use crate::StandingDeal;
use heatmark_ledger::ids::UnixMillis;

fn standing() -> Clause {
    Clause { standing: "PO 4711".into(), ..priced() }
}

/// Terms of the stage that cost nothing since another deal covers them.
fn covered(stage: &Stage, by: &Terms) -> Terms {
    let terms = stage.terms_of(50);
    sign(Terms {
        standing: by.deal.clone(),
        arbiter: None,
        amount: 0,
        currency: String::new(),
        fund_by_ms: 0,
        rule_by_ms: 0,
        ..terms
    })
}

struct Case {
    paid: Stage,
    now: Stage,
    phase: Phase,
}

impl Case {
    fn new() -> Self {
        Self {
            paid: Stage::under(standing()),
            now: Stage::under(Clause { salt: vec![1; 32], ..standing() }),
            phase: Phase::Settled,
        }
    }

    fn judged(&self, paid: &Terms, covered: &Terms) -> Result<Needs, TermsRefusal> {
        let open = paid.opening(2);
        let standing = StandingDeal {
            terms: paid,
            manifest: &self.paid.manifest,
            open: &open,
            opened: UnixMillis(NOW),
            phase: self.phase,
        };
        let facts = Facts { standing: Some(standing), ..self.now.facts() };
        judge(&self.now.manifest, covered, &facts)
    }
}

#[test]
fn a_settled_standing_deal_covers_the_next() {
    let case = Case::new();
    let paid = case.paid.terms();
    let needs = case.judged(&paid, &covered(&case.now, &paid)).unwrap();
    assert_eq!(needs, Needs { acceptance: false, payment: None });
}

#[test]
fn one_that_is_not_settled_covers_nothing() {
    for phase in [Phase::Open, Phase::Funded, Phase::Delivered, Phase::Disputed, Phase::Refunded] {
        let case = Case { phase, ..Case::new() };
        let paid = case.paid.terms();
        let answer = case.judged(&paid, &covered(&case.now, &paid));
        assert_eq!(answer, Err(TermsRefusal::StandingDeal));
    }
}

#[test]
fn one_of_another_name_price_owner_or_arbiter_covers_nothing() {
    let cases = [
        Clause { standing: "PO 4712".into(), ..standing() },
        Clause { standing: String::new(), ..standing() },
        Clause { amount: 1, ..standing() },
        Clause { sections: vec!["assay".into()], ..standing() },
    ];
    for clause in cases {
        let case = Case { paid: Stage::under(clause), ..Case::new() };
        let paid = case.paid.terms();
        let answer = case.judged(&paid, &covered(&case.now, &paid));
        assert_eq!(answer, Err(TermsRefusal::StandingDeal));
    }
    let arbiters = Clause { salt: vec![1; 32], arbiters: ids(&[OTHER]), ..standing() };
    let case = Case { now: Stage::under(arbiters), ..Case::new() };
    let paid = case.paid.terms();
    let answer = case.judged(&paid, &covered(&case.now, &paid));
    assert_eq!(answer, Err(TermsRefusal::StandingDeal));
    let mut case = Case::new();
    case.now.manifest.owner = member(OTHER).to_vec();
    let answer = case.judged(&paid, &covered(&case.now, &paid));
    assert_eq!(answer, Err(TermsRefusal::StandingDeal));
}

#[test]
fn one_in_which_the_buyer_was_its_own_arbiter_covers_nothing() {
    let case = Case::new();
    let mut paid = case.paid.terms();
    paid.arbiter.as_mut().unwrap().key = deal_key(8);
    let paid = sign(paid);
    let answer = case.judged(&paid, &covered(&case.now, &paid));
    assert_eq!(answer, Err(TermsRefusal::StandingDeal));
}

#[test]
fn one_that_is_not_shown_or_is_paid_for_again_covers_nothing() {
    let case = Case::new();
    let paid = case.paid.terms();
    let terms = covered(&case.now, &paid);
    let answer = judge(&case.now.manifest, &terms, &case.now.facts());
    assert_eq!(answer, Err(TermsRefusal::StandingDeal));
    let other = sign(Terms { standing: vec![1; 32], ..terms.clone() });
    assert_eq!(case.judged(&paid, &other), Err(TermsRefusal::StandingDeal));
    let paying = sign(Terms { amount: 25_000, ..terms.clone() });
    assert_eq!(case.judged(&paid, &paying), Err(TermsRefusal::Price));
    let with = sign(Terms { arbiter: case.now.terms_of(50).arbiter, ..terms });
    assert_eq!(case.judged(&paid, &with), Err(TermsRefusal::Arbiter));
}
