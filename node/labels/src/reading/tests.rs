//! Amounts are exact.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use super::*;

fn amount(value: u64, decimals: u8, unit: Unit) -> Amount {
    Amount { value, decimals, unit }
}

#[test]
fn kilograms_become_milligrams_exactly_or_not_at_all() {
    assert_eq!(amount(12_345, 3, Unit::Kilogram).milligrams(), Some(12_345_000));
    assert_eq!(amount(12_345, 0, Unit::Kilogram).milligrams(), Some(12_345_000_000));
    assert_eq!(amount(1_500, 4, Unit::Gram).milligrams(), Some(150));
    assert_eq!(amount(1_505, 5, Unit::Gram).milligrams(), None);
    assert_eq!(amount(1, 0, Unit::Pound).milligrams(), None);
    assert_eq!(amount(1, 0, Unit::Unstated).milligrams(), None);
    assert_eq!(amount(u64::MAX, 0, Unit::Kilogram).milligrams(), None);
}

#[test]
fn amount_is_shown_with_its_point() {
    assert_eq!(amount(12_345, 3, Unit::Kilogram).to_string(), "12.345 kg");
    assert_eq!(amount(5, 3, Unit::Pound).to_string(), "0.005 lb");
    assert_eq!(amount(0, 0, Unit::Piece).to_string(), "0 pieces");
    assert_eq!(amount(7, 0, Unit::Unstated).to_string(), "7");
}
