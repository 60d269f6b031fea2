//! Units that certificates write, as far as they must be understood: shares of the whole, masses, and which units
//! cannot belong to a property. A unit that is not known is kept as it stands and never refused.

use crate::{Decimal, MAX_SCALE, Measured, Quantity, Relation};

/// What a known unit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Share,
    Stress,
    Energy,
    Length,
    Mass,
    Temperature,
}

#[rustfmt::skip]
const FAMILIES: &[(Family, &[&str])] = &[
    (Family::Stress, &["mpa", "n/mm²", "n/mm2", "n/mm^2", "gpa", "kpa", "pa", "psi", "ksi", "kn/mm²", "kn/mm2", "kgf/mm²", "kgf/mm2"]),
    (Family::Energy, &["j", "joule", "kj", "ft-lbf", "ft·lbf", "ft.lbf", "ft-lb", "ft lbf"]),
    (Family::Length, &["mm", "cm", "m", "in", "inch", "ft", "µm", "μm"]),
    (Family::Temperature, &["°c", "°f", "celsius", "fahrenheit", "kelvin"]),
];

/// What a unit measures; `None` for units that are not known.
pub(super) fn family(unit: &str) -> Option<Family> {
    if share_exponent(unit).is_some() {
        return Some(Family::Share);
    }
    if Decimal::new(1, 0).is_ok_and(|one| mass_mg(&one, unit).is_some()) {
        return Some(Family::Mass);
    }
    let unit = unit.trim().to_lowercase();
    FAMILIES.iter().find(|(_, units)| units.contains(&unit.as_str())).map(|(family, _)| *family)
}

/// How many places the point moves from a share in this unit to a share of one: 2 for percent, 6 for ppm.
#[must_use]
pub fn share_exponent(unit: &str) -> Option<u8> {
    let unit = unit.trim().to_lowercase();
    let percent = [
        "%", "wt%", "wt.%", "wt.-%", "wt-%", "wt %", "wt. %", "mass%", "mass %", "mass-%",
        "mass.-%", "m%", "m-%", "gew.-%", "gew%", "weight %", "weight%", "w%", "% w/w", "%w/w",
        "% m/m", "%m/m", "% (m/m)", "at%", "at.%", "at.-%", "percent", "pct",
    ];
    match unit.as_str() {
        "‰" => Some(3),
        "ppm" | "ppmw" | "wt.ppm" | "mg/kg" | "µg/g" | "μg/g" | "g/t" => Some(6),
        "ppb" | "ppbw" | "µg/kg" | "μg/kg" => Some(9),
        text if percent.contains(&text) => Some(2),
        _ => None,
    }
}

impl Measured {
    /// A single number in a unit of share as a share of one, exactly: 120 ppm and 0.012 % both give 0.00012.
    /// `None` for other units and shapes, and beyond 30 decimal places.
    #[must_use]
    pub fn share(&self) -> Option<(Relation, Decimal)> {
        let Quantity::Number(relation, number) = &self.quantity else { return None };
        Some((*relation, shifted(number, share_exponent(&self.unit)?)?))
    }
}

/// A number of one unit in another one: the same, or both shares.
pub(super) fn converted(number: &Decimal, unit: &str, into: &str) -> Option<Decimal> {
    if unit == into || unit.is_empty() || into.is_empty() {
        return Some(*number);
    }
    let (from, to) = (share_exponent(unit)?, share_exponent(into)?);
    match from.checked_sub(to) {
        Some(places) => shifted(number, places),
        None => {
            let factor = 10_i128.checked_pow(u32::from(to.checked_sub(from)?))?;
            Decimal::new(number.mantissa().checked_mul(factor)?, number.scale()).ok()
        }
    }
}

fn shifted(number: &Decimal, places: u8) -> Option<Decimal> {
    let scale = number.scale().checked_add(places).filter(|scale| *scale <= MAX_SCALE)?;
    Decimal::new(number.mantissa(), scale).ok()
}

/// What a unit of mass is in milligrams, as numerator and denominator; `None` when it is not one of t, kg, g, mg and lb in
/// a usual spelling. A "ton" is either of two masses and is not understood.
#[must_use]
pub fn milligrams(unit: &str) -> Option<(i128, i128)> {
    Some(match unit.trim().to_lowercase().as_str() {
        "t" | "to" | "tne" | "mt" | "mton" | "tonne" | "tonnes" | "tonnen" => (1_000_000_000, 1),
        "kg" | "kgs" | "kgm" | "kilogram" | "kilograms" | "kilogramm" => (1_000_000, 1),
        "g" | "grm" | "gram" | "grams" | "gramm" => (1_000, 1),
        "mg" => (1, 1),
        // The international pound is 0.45359237 kg.
        "lb" | "lbs" | "lbr" | "pound" | "pounds" => (45_359_237, 100),
        _ => return None,
    })
}

/// A mass in whole milligrams, rounded down so that no more is certified than is stated; `None` when the unit is
/// none of [`milligrams`], or the mass is negative or 2⁶³ mg or more.
#[must_use]
pub fn mass_mg(mass: &Decimal, unit: &str) -> Option<u64> {
    let (numerator, denominator) = milligrams(unit)?;
    let divisor = 10_i128.checked_pow(u32::from(mass.scale()))?.checked_mul(denominator)?;
    let mg = mass.mantissa().checked_mul(numerator)?.checked_div(divisor)?;
    u64::try_from(mg).ok().filter(|mg| *mg < 1 << 63)
}
