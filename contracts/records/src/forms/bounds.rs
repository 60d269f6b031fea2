//! What cannot be, property by property: a strength in joules, a negative hardness, a reduction of area above
//! 100 %. Elongation may exceed 100 %. Properties that are not known are not judged.

use super::fault::What;
use super::units::{Family, family};
use crate::{Decimal, Measured, Quantity};

/// A property's name, whatever the form calls it.
struct Property {
    /// Symbols, compared without regard to what follows a digit: `Rp` is also `Rp0.2`.
    symbols: &'static [&'static str],
    /// Parts of names in lower case.
    names: &'static [&'static str],
    units: &'static [Family],
    at_most_whole: bool,
}

#[rustfmt::skip]
const PROPERTIES: &[Property] = &[
    Property { symbols: &["Z", "RA"], names: &["reduction of area", "einschnürung"],
        units: &[Family::Share], at_most_whole: true },
    Property { symbols: &["A", "Ag", "Agt", "At"], names: &["elongation", "bruchdehnung", "allongement"],
        units: &[Family::Share, Family::Length], at_most_whole: false },
    Property { symbols: &["Rm", "Re", "ReH", "ReL", "Rp", "Rt", "UTS", "YS"],
        names: &["tensile strength", "yield strength", "yield point", "yield stress", "proof strength", "zugfestigkeit", "streckgrenze", "dehngrenze"],
        units: &[Family::Stress], at_most_whole: false },
    Property { symbols: &["KV", "KU", "KCV", "CVN"], names: &["impact energy", "absorbed energy", "kerbschlagarbeit"],
        units: &[Family::Energy], at_most_whole: false },
    Property { symbols: &["HB", "HBW", "HRC", "HRB", "HV"], names: &["hardness", "härte"],
        units: &[], at_most_whole: false },
];

/// Whether a result of this property can be; `names` are its symbol and names as far as they are stated.
pub(super) fn check(names: &[&str], measured: &Measured) -> Result<(), What> {
    let Some(property) = PROPERTIES.iter().find(|property| property.is_called(names)) else {
        return Ok(());
    };
    let stated = family(&measured.unit);
    if stated == Some(Family::Temperature) {
        // An impact test's temperature is called after the test.
        return Ok(());
    }
    if stated.is_some_and(|stated| !property.units.is_empty() && !property.units.contains(&stated))
    {
        return Err(What::WrongUnit);
    }
    let whole = property.at_most_whole.then(|| Decimal::new(100, 0).ok()).flatten();
    for number in numbers(&measured.quantity) {
        if number.mantissa() < 0 {
            return Err(What::NegativeResult);
        }
        if whole.is_some_and(|whole| number.cmp_quantity(&whole).is_gt()) {
            return Err(What::ShareAboveWhole);
        }
    }
    Ok(())
}

/// Nothing is colder than absolute zero.
pub(super) fn check_temperature(measured: &Measured) -> Result<(), What> {
    let (mantissa, scale) = match measured.unit.trim() {
        "C" | "°C" | "Celsius" => (-27_315, 2),
        "K" | "Kelvin" => (0, 0),
        "F" | "°F" | "Fahrenheit" => (-45_967, 2),
        _ => return Ok(()),
    };
    let Ok(coldest) = Decimal::new(mantissa, scale) else { return Ok(()) };
    let colder = |number: &&Decimal| number.cmp_quantity(&coldest).is_lt();
    if numbers(&measured.quantity).iter().any(colder) {
        return Err(What::BelowAbsoluteZero);
    }
    Ok(())
}

/// Every number of a result.
pub(super) fn numbers(quantity: &Quantity) -> Vec<&Decimal> {
    match quantity {
        Quantity::Number(_, number) => vec![number],
        Quantity::Range { low, high, .. } => vec![low, high],
        Quantity::Several(results) => results.iter().map(|(_, number)| number).collect(),
        Quantity::Balance | Quantity::Verdict(_) => Vec::new(),
    }
}

impl Property {
    fn is_called(&self, names: &[&str]) -> bool {
        names.iter().map(|name| name.trim()).any(|name| {
            let stem = name.find(|c: char| c.is_ascii_digit()).and_then(|at| name.get(..at));
            let lower = name.to_lowercase();
            // A ratio of two properties is neither.
            let ratio =
                name.contains('/') || lower.contains("ratio") || lower.contains("verhältnis");
            !ratio
                && (self.symbols.iter().any(|symbol| *symbol == name || Some(*symbol) == stem)
                    || self.names.iter().any(|part| lower.contains(part)))
        })
    }
}
