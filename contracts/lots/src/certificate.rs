//! The mass that a certificate's record commits to, as a commission's proof needs it: a commitment in the certificate's own
//! unit, and the whole numbers that lead from there to milligrams. The mass itself stays hidden.

use heatmark_records::forms::milligrams;
use heatmark_records::{Committed, CommittedDecimal, Quantity, Relation, Said};

use crate::{Amount, LotError};

/// Where a certificate states its mass.
pub const MASS_PATH: &str = "product/mass";
/// Where it states a mass that was calculated, which counts when it states no other.
pub const THEORETICAL_MASS_PATH: &str = "product/mass/theoretical";

/// A certified mass: `factor × number ÷ divisor` milligrams, the number committed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedMass {
    pub(crate) number: Amount,
    pub(crate) factor: i128,
    pub(crate) divisor: i128,
    /// Whether the mass was calculated and not weighed.
    pub theoretical: bool,
}

/// Finds the mass that a certificate commissions, in what its record says of [`MASS_PATH`] and, where that is no mass, of
/// [`THEORETICAL_MASS_PATH`].
///
/// # Errors
/// `NoCertifiedMass` when neither is a single number, stated exactly, in t, kg, g, mg or lb.
pub fn mass_committed_to(
    actual: &Said,
    theoretical: Option<&Said>,
) -> Result<CertifiedMass, LotError> {
    match (mass(actual)?, theoretical) {
        (Some(found), _) => Ok(found),
        (None, Some(other)) => {
            let found = mass(other)?.ok_or(LotError::NoCertifiedMass)?;
            Ok(CertifiedMass { theoretical: true, ..found })
        }
        (None, None) => Err(LotError::NoCertifiedMass),
    }
}

fn mass(said: &Said) -> Result<Option<CertifiedMass>, LotError> {
    let Said::Committed(Committed { unit, quantity }) = said.hidden() else { return Ok(None) };
    let Quantity::Number(Relation::Equal, CommittedDecimal { commitment, scale }) = quantity else {
        return Ok(None);
    };
    let Some((numerator, denominator)) = milligrams(&unit) else { return Ok(None) };
    let power = 10_i128.checked_pow(u32::from(scale));
    let divisor = power.and_then(|power| power.checked_mul(denominator));
    let divisor = divisor.ok_or(LotError::NoCertifiedMass)?;
    let common = greatest_common_divisor(numerator, divisor);
    let reduced = |number: i128| number.checked_div(common).ok_or(LotError::NoCertifiedMass);
    Ok(Some(CertifiedMass {
        number: Amount::new(commitment)?,
        factor: reduced(numerator)?,
        divisor: reduced(divisor)?,
        theoretical: false,
    }))
}

const fn greatest_common_divisor(mut left: i128, mut right: i128) -> i128 {
    while let Some(rest) = left.checked_rem(right) {
        (left, right) = (right, rest);
    }
    left
}
