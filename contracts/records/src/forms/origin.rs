//! What a certificate can commission: so much material of that heat. Read from the fields, so that it is the same
//! for every form. Actual mass counts before theoretical mass.

use thiserror::Error;

use super::inspection::DISPOSITION;
use super::units;
use crate::{Fields, Measured, Path, Quantity, Relation, Value};

/// Material that a certificate can commission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Its mass in milligrams, rounded down.
    pub mass_mg: u64,
    /// Whether the mass was calculated and not weighed.
    pub theoretical: bool,
}

/// Why a certificate commissions nothing; it can be published all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoOrigin {
    /// Another company's certificate: only who made the material commissions it.
    #[error("commissions nothing: transcribed from another company's certificate")]
    Transcribed,
    /// It attests another's record, and is about material that was commissioned there.
    #[error("commissions nothing: it attests another's record")]
    Attestation,
    /// What an inspector decided about material that was commissioned elsewhere.
    #[error("commissions nothing: it records an inspection")]
    Inspection,
    /// Neither a heat nor a cast number.
    #[error("commissions nothing: it names no heat")]
    NoHeat,
    /// No mass in t, kg, g or lb.
    #[error("commissions nothing: it states no mass in t, kg, g or lb")]
    NoMass,
}

/// What these fields commission.
///
/// # Errors
/// Why they commission nothing.
pub fn origin(fields: &Fields) -> Result<Origin, NoOrigin> {
    if field(fields, "transcribed/from").is_some() {
        return Err(NoOrigin::Transcribed);
    }
    if field(fields, "attests/record").is_some() {
        return Err(NoOrigin::Attestation);
    }
    if field(fields, DISPOSITION).is_some() {
        return Err(NoOrigin::Inspection);
    }
    match field(fields, "heat") {
        Some(Value::Text(heat)) if !heat.trim().is_empty() => {}
        Some(Value::Measured(_) | Value::Moment(_)) => {}
        _ => return Err(NoOrigin::NoHeat),
    }
    stated_mass(fields).ok_or(NoOrigin::NoMass)
}

/// The mass that these fields state, whether they commission it or not.
#[must_use]
pub fn stated_mass(fields: &Fields) -> Option<Origin> {
    let mass = |path| field(fields, path).and_then(mass_mg).filter(|mass| *mass > 0);
    match (mass("product/mass"), mass("product/mass/theoretical")) {
        (Some(mass_mg), _) => Some(Origin { mass_mg, theoretical: false }),
        (None, Some(mass_mg)) => Some(Origin { mass_mg, theoretical: true }),
        (None, None) => None,
    }
}

/// The heat or cast number, where it is given in writing.
#[must_use]
pub fn heat(fields: &Fields) -> Option<String> {
    match field(fields, "heat")? {
        Value::Text(heat) => Some(heat.trim().to_owned()),
        Value::Moment(heat) => Some(heat.as_str().to_owned()),
        Value::Measured(Measured { quantity: Quantity::Number(Relation::Equal, heat), .. }) => {
            Some(heat.to_string())
        }
        Value::Measured(_) | Value::Document(_) => None,
    }
}

pub(super) fn field<'a>(fields: &'a Fields, path: &str) -> Option<&'a Value> {
    fields.get(&Path::new(path).ok()?)
}

fn mass_mg(value: &Value) -> Option<u64> {
    match value {
        Value::Measured(Measured { unit, quantity: Quantity::Number(Relation::Equal, mass) }) => {
            units::mass_mg(mass, unit)
        }
        _ => None,
    }
}
