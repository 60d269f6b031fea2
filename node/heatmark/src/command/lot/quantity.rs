//! Quantities as people type them: `NAME=2.5 t,10`. Refuses a mass that is no whole number of milligrams, and units that
//! are none of mass.

use super::super::day;
use super::super::failure::Failure;
use heatmark_records::Decimal;
use heatmark_records::forms::milligrams;
use std::str::FromStr;

/// A lot as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lot {
    pub(super) name: String,
    pub(super) mass_mg: u64,
    pub(super) pieces: u64,
}

impl FromStr for Lot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, quantity) = text
            .split_once('=')
            .ok_or("give the lot as NAME=MASS[,PIECES], for example 'RING-9=2300 kg,200'")?;
        let (mass_mg, pieces) = scrap(quantity)?;
        Ok(Self { name: name.trim().to_owned(), mass_mg, pieces })
    }
}

/// A mass and, after a comma, pieces.
pub(super) fn scrap(text: &str) -> Result<(u64, u64), String> {
    let (mass, pieces) = text.split_once(',').unwrap_or((text, "0"));
    let pieces = pieces.trim();
    let pieces = pieces.parse().map_err(|_| format!("{pieces:?} is no number of pieces"))?;
    Ok((mass_mg(mass.trim())?, pieces))
}

fn mass_mg(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong = || format!("{text:?} is no mass; give one in t, kg, g, mg or lb, such as '2.5 t'");
    let number = Decimal::parse(number.trim()).map_err(|_| wrong())?;
    let (numerator, denominator) = milligrams(unit.trim()).ok_or_else(wrong)?;
    let scaled = number.mantissa().checked_mul(numerator).ok_or_else(wrong)?;
    let power = 10_i128.checked_pow(u32::from(number.scale())).ok_or_else(wrong)?;
    let divisor = denominator.checked_mul(power).ok_or_else(wrong)?;
    if scaled.checked_rem(divisor) != Some(0) {
        return Err(format!("{text:?} is no whole number of milligrams"));
    }
    scaled.checked_div(divisor).and_then(|mass| u64::try_from(mass).ok()).ok_or_else(wrong)
}

/// Kilograms, with as many decimal places as they need.
pub(crate) fn mass_text(mass_mg: u64) -> String {
    let (whole, rest) = (mass_mg / 1_000_000, mass_mg % 1_000_000);
    if rest == 0 {
        return format!("{whole} kg");
    }
    format!("{whole}.{} kg", format!("{rest:06}").trim_end_matches('0'))
}

/// The first moment after a day, given as `YYYY-MM-DD`, in milliseconds since 1970, UTC.
pub(super) fn end_of_day(date: &str) -> Result<u64, Failure> {
    let begins = day::beginning_ms(date).ok_or_else(|| {
        Failure::input(format!("{date:?} is no date")).next("write it as 2031-12-31")
    })?;
    Ok(begins.saturating_add(day::DAY_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_are_exact_or_refused() {
        let lot = |text: &str| text.parse::<Lot>().map(|lot| (lot.name, lot.mass_mg, lot.pieces));
        assert_eq!(lot("R=2.5 t,10"), Ok(("R".to_owned(), 2_500_000_000, 10)));
        assert_eq!(
            lot("A=B=1 kg").map(|lot| lot.0),
            Err("\"B=1 kg\" is no mass; give one in t, kg, g, mg or lb, such as '2.5 t'".to_owned())
        );
        assert_eq!(lot("R=0.001 g"), Ok(("R".to_owned(), 1, 0)));
        assert_eq!(lot("R=100 lb"), Ok(("R".to_owned(), 45_359_237, 0)));
        for wrong in [
            "R",
            "R=",
            "R=5",
            "R=5 m",
            "R=-5 kg",
            "R=0.0001 g",
            "R=1 lb",
            "R=5 kg,x",
            "R=5 kg,-1",
            "R=99999999999999 t",
        ] {
            assert!(lot(wrong).is_err(), "{wrong}");
        }
        assert_eq!(mass_text(2_500_000_000), "2500 kg");
        assert_eq!(mass_text(1), "0.000001 kg");
        assert_eq!(mass_text(1_500_000), "1.5 kg");
    }

    #[test]
    fn a_day_ends_when_the_next_begins() {
        assert_eq!(end_of_day("2024-02-29").ok(), Some(1_709_251_200_000));
        assert_eq!(end_of_day("2031-12-31").ok(), Some(1_956_528_000_000));
        assert!(end_of_day("2023-02-29").is_err());
    }
}
