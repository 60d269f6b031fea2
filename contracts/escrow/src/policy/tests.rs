#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::type_complexity,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use crate::{MAX_PREMIUM, Price, Who};

const NAMED: &str = include_str!("../../tests/policies/named.toml");
const AGREEMENT: &str = include_str!("../../tests/policies/agreement.toml");
const PREMIUM: &str = include_str!("../../tests/policies/premium.toml");
const ORDER: &str = include_str!("../../tests/policies/order.toml");
const BY_HAND: &str = include_str!("../../tests/policies/by-hand.toml");

fn one(text: &str) -> (Policy, Clause) {
    let policy = Policy::parse(text).unwrap();
    let clause = policy.clauses[0].clone();
    (policy, clause)
}

fn refused(text: &str) -> String {
    Policy::parse(text).unwrap_err().to_string()
}

/// What is said of an example with something in it replaced.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    refused(&text.replacen(from, to, 1))
}

#[test]
fn free_to_named_members() {
    let (_, clause) = one(NAMED);
    let members = [0xa1, 0xb2].map(|byte| MemberId::from([byte; 32]));
    assert_eq!(clause.who(), Some(Who::Members(members.to_vec())));
    assert_eq!(clause.price(), Some(Price::Free));
    assert_eq!(clause.sections, ["assay", "environment"]);
}

#[test]
fn for_money_after_an_agreement() {
    let (policy, clause) = one(AGREEMENT);
    assert_eq!(clause.price(), Some(Price::Fixed { amount: 25_000, currency: "EUR".into() }));
    assert_eq!((clause.nda, clause.retention_days), (vec![0xd4; 32], 90));
    assert_eq!(clause.countries, ["AT", "DE", "FR"]);
    assert_eq!(policy.agent_countries, ["DE", "FR"]);
}

#[test]
fn for_a_share_of_an_order() {
    let (_, clause) = one(PREMIUM);
    assert_eq!(clause.price(), Some(Price::Premium { hundredths: 320, currency: "EUR".into() }));
    assert_eq!(clause.standing, "PO 4711");
    // 14:00 in UTC.
    assert_eq!(clause.until_ms, 1_845_986_400_000);
}

#[test]
fn on_order_of_two_until_a_date_has_passed() {
    let (policy, clause) = one(ORDER);
    assert_eq!((policy.regulators.len(), policy.quorum, clause.order), (3, 2, true));
    // The first moment of 2052.
    assert_eq!(clause.until_ms, 2_587_680_000_000);
}

#[test]
fn by_hand_for_a_purpose() {
    let (_, clause) = one(BY_HAND);
    assert!(clause.by_hand);
    assert_eq!(clause.purposes, ["accident investigation", "recall"]);
    assert_eq!(clause.who(), Some(Who::Anyone));
}

#[test]
fn what_is_printed_reads_the_same() {
    for text in [NAMED, AGREEMENT, PREMIUM, ORDER, BY_HAND] {
        let policy = Policy::parse(text).unwrap();
        assert_eq!(Policy::parse(&policy.to_toml()).unwrap(), policy, "{}", policy.to_toml());
    }
}

#[test]
fn salted_clauses_are_whole_and_never_twice_the_same() {
    let policy = Policy::parse(AGREEMENT).unwrap();
    let (once, again) = (policy.salted(&mut rand::rng()), policy.salted(&mut rand::rng()));
    assert_ne!(once[0].digest(), again[0].digest());
    assert_eq!(Clause::read(&once[0].to_bytes()).unwrap(), once[0]);
    assert!(Clause::read(&policy.clauses[0].to_bytes()).is_err());
}

#[test]
fn every_fault_is_one_line_that_names_the_place() {
    let cases = [
        (changed(NAMED, "name = ", "nam = "), "clause 1, name: it is missing"),
        (changed(NAMED, "price = ", "prize = "), "clause \"Assemblers\", price: it is missing"),
        (
            changed(NAMED, "\"free\"", "\"free\"\ncolour = 1"),
            "clause \"Assemblers\", colour: there is no such key",
        ),
        (changed(NAMED, "\"free\"", "3"), "clause \"Assemblers\", price: it is a text in quotes"),
        (
            changed(NAMED, "\"free\"", "\"cheap\""),
            "clause \"Assemblers\", price: it is \"free\", an amount, \"250.00 EUR\", or a premium, \"3.2 % EUR\"",
        ),
        (
            changed(NAMED, "[\"assay\", \"environment\"]", "\"assay\""),
            "clause \"Assemblers\", sections: it is a list of texts in quotes",
        ),
        (
            changed(NAMED, "\"environment\"", "\"assay\""),
            "clause \"Assemblers\", sections: an entry stands twice",
        ),
        (
            changed(NAMED, "[\"assay\", \"environment\"]", "[]"),
            "clause \"Assemblers\": its sections are not 1 to 32 ascending names",
        ),
        (
            changed(NAMED, "a1a1", "zz"),
            "clause \"Assemblers\", members: it is a list of member ids of 64 hex digits",
        ),
        (
            changed(NAMED, "members", "open_to = \"anyone\"\nmembers"),
            "clause \"Assemblers\": say who may open by one of open_to = \"anyone\", members and roles",
        ),
        (
            changed(BY_HAND, "open_to = \"anyone\"\n", ""),
            "clause \"Recall\": say who may open by one of open_to = \"anyone\", members and roles",
        ),
        (changed(BY_HAND, "\"anyone\"", "\"all\""), "clause \"Recall\", open_to: it is \"anyone\""),
        (
            changed(BY_HAND, "\"by hand\"", "\"later\""),
            "clause \"Recall\", accept: it is \"by rule\" or \"by hand\"",
        ),
        (
            changed(AGREEMENT, "\"lab\"", "\"king\""),
            "clause \"Assay\", roles: it is a list of roles: supplier, assembler, lab, escrow-agent, regulator, validator",
        ),
        (
            changed(AGREEMENT, "90", "-1"),
            "clause \"Assay\", retention_days: it is a whole number of days",
        ),
        (
            changed(AGREEMENT, "\"AT\"", "\"Austria\""),
            "clause \"Assay\", countries: it is a list of countries, two capital letters of ISO 3166-1 each",
        ),
        (
            changed(AGREEMENT, "agent_countries = [\"DE\"", "agent_countries = [\"de\""),
            "policy, agent_countries: it is a list of countries, two capital letters of ISO 3166-1 each",
        ),
        (
            changed(AGREEMENT, "agreement = \"d4", "agreement = \""),
            "clause \"Assay\", agreement: it is SHA-256 in 64 hex digits",
        ),
        (
            changed(AGREEMENT, "arbiters", "#"),
            "clause \"Assay\": price, currency and arbiters do not fit each other",
        ),
        (
            changed(NAMED, "\"free\"", "\"free\"\nstanding = \"PO 1\""),
            "clause \"Assemblers\": only what costs something is covered by a standing deal",
        ),
        (
            changed(ORDER, "quorum = 2", "quorum = 4"),
            "quorum: it is from 1 to the number of regulators",
        ),
        (changed(ORDER, "quorum = 2", ""), "quorum: it is from 1 to the number of regulators"),
        (
            changed(BY_HAND, "accept = \"by hand\"", "on_order = true"),
            "clause \"Recall\": clauses on order need regulators and a quorum",
        ),
        (
            changed(ORDER, "2051-12-31", "2051-12-31T12:00:00"),
            "clause \"Authorities\", until: it is a date, 2027-12-31, or a time with offset, 2027-12-31T12:00:00Z",
        ),
        (
            changed(ORDER, "2051-12-31", "\"soon\""),
            "clause \"Authorities\", until: it is a date, 2027-12-31, or a time with offset, 2027-12-31T12:00:00Z",
        ),
        (
            changed(ORDER, "true", "\"yes\""),
            "clause \"Authorities\", on_order: it is true or false",
        ),
        (
            changed(BY_HAND, "[[clause]]", "clause = 3\n[other]"),
            "policy, clause: it is tables, each headed by its name in two brackets",
        ),
        (
            changed(BY_HAND, "[[clause]]", "extra = 3\n[[clause]]"),
            "policy, extra: there is no such key",
        ),
        (refused(""), "clause: a policy has 1 to 64 clauses"),
        (
            refused(&format!("{NAMED}\n{NAMED}")),
            "clause \"Assemblers\": two clauses have this name",
        ),
        (refused(&" ".repeat(70_000)), "policy: a policy has at most 65536 bytes"),
    ];
    for (told, expected) in cases {
        assert_eq!(told, expected);
        assert!(!told.contains('\n'));
    }
}

#[test]
fn text_that_is_no_toml_is_told_by_its_line() {
    let told = changed(NAMED, "price = \"free\"", "price = free");
    assert!(told.starts_with("line 9: "), "{told}");
    assert!(!told.contains('\n'));
}

#[test]
fn amounts_that_a_currency_does_not_have_are_refused() {
    for (text, amount) in
        [("250 EUR", 25_000), ("0.01 EUR", 1), ("3 JPY", 3), ("1.234 KWD", 1_234), ("0.5 CHF", 50)]
    {
        let currency = text.split(' ').next_back().unwrap().to_owned();
        assert_eq!(parse_amount(text), Some((amount, currency)), "{text}");
    }
    for text in [
        "250",
        "250EUR",
        "250.001 EUR",
        "3.0 JPY",
        "-1 EUR",
        "+1 EUR",
        "1e3 EUR",
        " 1 EUR",
        "1  EUR",
        ".5 EUR",
        "5. EUR",
        "01 EUR",
        "1 eur",
        "1 EURO",
        "1,5 EUR",
        "99999999999999999999 EUR",
        "EUR",
        "184467440737095516.16 EUR",
        "१ EUR",
    ] {
        assert_eq!(parse_amount(text), None, "{text}");
    }
}

#[test]
fn premiums_are_within_bounds() {
    let beyond = format!("{}.00 % EUR", MAX_PREMIUM / 100 + 1);
    for price in
        ["0 % EUR", "0.00 % EUR", "3.201 % EUR", "3.2% EUR", "3.2 % eur", &beyond, "-3 % EUR"]
    {
        let told = changed(PREMIUM, "3.2 % EUR", price);
        assert!(told.starts_with("clause \"Order 4711\""), "{price}: {told}");
    }
    let most = PREMIUM.replace("3.2 %", "1000 %");
    assert_eq!(one(&most).1.premium, MAX_PREMIUM);
}

#[test]
fn dates_are_those_of_the_calendar() {
    let until = |text: &str| {
        let policy = ORDER.replace("2051-12-31", text);
        Policy::parse(&policy).map(|policy| policy.clauses[0].until_ms)
    };
    assert_eq!(until("1970-01-01").unwrap(), 86_400_000);
    assert_eq!(until("2028-02-29").unwrap(), 1_835_481_600_000);
    assert_eq!(until("2000-02-29T00:00:00Z").unwrap(), 951_782_400_000);
    assert_eq!(until("2026-01-01T00:00:00.5-00:30").unwrap(), 1_767_227_400_500);
    for text in ["2027-02-29", "2100-02-29", "2027-04-31", "1969-12-31", "12:00:00"] {
        assert!(until(text).is_err(), "{text}");
    }
}
