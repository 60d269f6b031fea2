//! Check digits, days and centuries, at their edges.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use super::*;

#[test]
fn day_exists_or_is_refused() {
    for (year, month, day) in
        [(2026, 2, 29), (2100, 2, 29), (2026, 4, 31), (2026, 0, 1), (2026, 13, 1), (2026, 1, 0)]
    {
        assert_eq!(Day::new(year, month, day), None, "{year} {month} {day}");
    }
    assert!(Day::new(2028, 2, 29).is_some());
    assert!(Day::new(2000, 2, 29).is_some());
}

#[test]
fn day_is_parsed_as_iso_writes_it_and_otherwise_not() {
    assert_eq!(Day::parse("2027-02-28"), Day::new(2027, 2, 28));
    for text in
        ["2027-2-28", "2027-02-29", "27-02-28", "2027/02/28", "2027-02-28-", "+027-02-28", ""]
    {
        assert_eq!(Day::parse(text), None, "{text}");
    }
}

#[test]
fn two_digits_of_a_year_mean_49_back_to_50_ahead() {
    for (two, now, year) in [
        (76, 2026, 2076),
        (77, 2026, 1977),
        (26, 2026, 2026),
        (0, 2026, 2000),
        (99, 2026, 1999),
        (25, 1975, 2025),
        (26, 1975, 1926),
        (40, 2090, 2140),
        (41, 2090, 2041),
        (49, 2099, 2149),
    ] {
        assert_eq!(full_year(two, now), Some(year), "{two} in {now}");
    }
}

#[test]
fn day_00_is_the_last_of_its_month_and_says_so() {
    assert_eq!(six_digit_day("280200", 2026), Ok((Day::new(2028, 2, 29).unwrap(), true)));
    assert_eq!(six_digit_day("261100", 2026), Ok((Day::new(2026, 11, 30).unwrap(), true)));
    assert_eq!(six_digit_day("261130", 2026), Ok((Day::new(2026, 11, 30).unwrap(), false)));
    for text in ["260000", "261300", "260231", "2602", "26021a", "-60210", "2602100", ""] {
        assert!(six_digit_day(text, 2026).is_err(), "{text}");
    }
}

#[test]
fn time_of_day_ends_before_midnight() {
    assert_eq!(minute_of_day("2359"), Ok(1439));
    for text in ["2400", "1260", "125", "12:5", "+123", ""] {
        assert_eq!(minute_of_day(text), Err(Wrong::Time), "{text}");
    }
}

#[test]
fn every_single_wrong_digit_fails_the_check() {
    let right = "09506000134352";
    assert_eq!(verify_check_digit(right), Ok(()));
    for position in 0..right.len() {
        for digit in b'0'..=b'9' {
            let mut bytes = right.as_bytes().to_vec();
            let changed = std::mem::replace(bytes.get_mut(position).unwrap(), digit) != digit;
            let text = String::from_utf8(bytes).unwrap();
            let expected = if changed { Err(Wrong::CheckDigit) } else { Ok(()) };
            assert_eq!(verify_check_digit(&text), expected, "{text}");
        }
    }
}

#[test]
fn article_numbers_of_all_lengths_become_one() {
    for (text, full) in [
        ("95211237", "00000095211237"),
        ("401234512343", "00401234512343"),
        ("9506000134352", "09506000134352"),
        ("09506000134352", "09506000134352"),
    ] {
        assert_eq!(gtin(text), Ok(full.to_owned()));
    }
    for text in ["", "7", "950600013435", "095060001343520", "0950600013435a", "９506000134352"] {
        assert!(gtin(text).is_err(), "{text}");
    }
}

#[test]
fn set_82_has_82_characters_and_set_39_has_39() {
    assert_eq!((0..=u8::MAX).filter(|byte| is_set_82(*byte)).count(), 82);
    assert_eq!((0..=u8::MAX).filter(|byte| is_set_39(*byte)).count(), 39);
}
