//! A limit in whole numbers: the least common grid on which every number of a limit is whole, the factor of each on it,
//! and the bound that the combination must keep there, rounding included. Nothing here depends on a value, so that a
//! verifier computes the same. Refuses grids that no proof reaches.

use crate::conformance::Unprovable;
use crate::specification::{Ratio, Rounding};
use crate::{Decimal, Limit};

/// Factors and bounds stay below this: far more than 64 bits can prove, and nothing overflows.
const MAX_WHOLE: i128 = 1 << 120;

/// What a verifier knows of a number without knowing it: its decimal places and unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) scale: u8,
    pub(crate) unit: &'a str,
}

/// A limit on its grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// What each number's mantissa is multiplied with, in the order of the limit's terms.
    pub(crate) factors: Vec<i128>,
    /// The least that the sum may be.
    pub(crate) least: Option<i128>,
    /// The most that the sum may be.
    pub(crate) most: Option<i128>,
}

/// Puts a limit on the grid of these numbers, one for each of its terms.
pub(crate) fn bounds(
    limit: &Limit,
    rounding: Rounding,
    places: &[Place<'_>],
) -> Result<Bounds, Unprovable> {
    let mut finest: i32 = 0;
    let mut scales = Vec::with_capacity(places.len());
    for place in places {
        let shift = unit_shift(place.unit, &limit.unit).ok_or(Unprovable::Unit)?;
        let scale = i32::from(place.scale).saturating_sub(shift);
        finest = finest.max(scale);
        scales.push(scale);
    }
    for bound in [&limit.minimum, &limit.maximum].into_iter().flatten() {
        // One place more than the limit's own, so that half of its last place is whole.
        let own = i32::from(bound.scale());
        let finer = i32::from(rounding == Rounding::AstmE29);
        finest = finest.max(own.saturating_add(finer));
    }
    let mut ratios = limit.of.terms().map(|(_, ratio)| ratio).chain([limit.of.constant()]);
    let common = ratios.try_fold(1, least_common)?;
    let mut factors = Vec::with_capacity(places.len());
    for ((_, ratio), scale) in limit.of.terms().zip(&scales) {
        factors.push(whole(ratio, common, finest.saturating_sub(*scale))?);
    }
    let constant = whole(limit.of.constant(), common, finest)?;
    let bound = |limit: &Option<Decimal>, upper: bool| {
        limit
            .as_ref()
            .map(|limit| {
                let last = scaled(common, finest.saturating_sub(limit.scale().into()))?;
                let bound = last.checked_mul(limit.mantissa()).ok_or(Unprovable::TooFine)?;
                let room = if rounding == Rounding::AstmE29 { half(last, limit) } else { 0 };
                let room = if upper { room } else { room.saturating_neg() };
                bounded(bound.checked_add(room).and_then(|bound| bound.checked_sub(constant)))
            })
            .transpose()
    };
    Ok(Bounds { least: bound(&limit.minimum, false)?, most: bound(&limit.maximum, true)?, factors })
}

/// How far beyond a limit rounds to it: half of its last place, the half itself only if the limit's last digit is even.
fn half(last: i128, limit: &Decimal) -> i128 {
    let half = last.checked_div(2).unwrap_or(0);
    let odd = limit.mantissa().checked_rem_euclid(2) == Some(1);
    half.saturating_sub(i128::from(odd))
}

fn least_common(common: i128, ratio: &Ratio) -> Result<i128, Unprovable> {
    let below = ratio.denominator();
    let divisor = crate::specification::greatest_common_divisor(common, below);
    let rest = below.checked_div(divisor).ok_or(Unprovable::TooFine)?;
    bounded(common.checked_mul(rest))
}

/// `ratio × common × 10^places`, which is whole.
fn whole(ratio: &Ratio, common: i128, places: i32) -> Result<i128, Unprovable> {
    let each = common.checked_div(ratio.denominator()).ok_or(Unprovable::TooFine)?;
    bounded(scaled(each, places)?.checked_mul(ratio.numerator()))
}

fn scaled(number: i128, places: i32) -> Result<i128, Unprovable> {
    let places = u32::try_from(places).map_err(|_| Unprovable::TooFine)?;
    let power = 10_i128.checked_pow(places).ok_or(Unprovable::TooFine)?;
    bounded(power.checked_mul(number))
}

fn bounded(number: Option<i128>) -> Result<i128, Unprovable> {
    number
        .filter(|number| number.unsigned_abs() < MAX_WHOLE.unsigned_abs())
        .ok_or(Unprovable::TooFine)
}

/// Powers of ten between units of one kind: `from × 10^shift = to`, so that 1 ppm is 10^-4 %.
fn unit_shift(from: &str, to: &str) -> Option<i32> {
    if from == to {
        return Some(0);
    }
    let (kind, from) = unit(from)?;
    let (other, to) = unit(to)?;
    (kind == other).then(|| from.saturating_sub(to))
}

/// What a unit measures, and its size as a power of ten.
pub(crate) fn unit(name: &str) -> Option<(&'static str, i32)> {
    Some(match name {
        "%" | "wt%" | "wt.%" | "mass %" | "% (m/m)" | "percent" => ("fraction", -2),
        "ppm" | "mg/kg" | "µg/g" => ("fraction", -6),
        "ppb" => ("fraction", -9),
        "Pa" => ("stress", 0),
        "MPa" | "N/mm²" | "N/mm2" => ("stress", 6),
        "GPa" => ("stress", 9),
        "J" | "Joule" => ("energy", 0),
        "°C" | "Celsius" | "C" | "degC" => ("temperature", 0),
        "mm" => ("length", -3),
        "cm" => ("length", -2),
        "m" => ("length", 0),
        "g" => ("mass", 0),
        "kg" => ("mass", 3),
        "t" => ("mass", 6),
        _ => return None,
    })
}
