//! What is lost, added and found in an event. Refuses a weighing that exceeds the last one by more than its tolerance:
//! everything above that is not certified and has to be declared.

use crate::DeskError;
use crate::lots::plan::{EventPlan, Quantity};
use heatmark_lots::{Kind, MakeError, OpenAmount, OpenLot, Witness};

/// Puts everything but lots into the witness.
pub(super) fn fill(
    plan: &EventPlan,
    permille: u32,
    witness: &mut Witness,
) -> Result<(), DeskError> {
    match plan.kind {
        Kind::Adjust => adjusted(plan, permille, witness)?,
        Kind::Correct => {
            let scrap =
                if plan.scrap == Quantity::default() { lowered(witness)? } else { plan.scrap };
            witness.scrap = Some(amounts(plan.kind, scrap));
        }
        kind => {
            if plan.scrap != Quantity::default() {
                witness.scrap = Some(amounts(kind, plan.scrap));
            }
            witness.uncertified = plan.uncertified.map(|added| amounts(kind, added));
        }
    }
    Ok(())
}

/// A new weighing and count: more mass is a gain, less of either is lost, more pieces have to be declared.
fn adjusted(plan: &EventPlan, permille: u32, witness: &mut Witness) -> Result<(), DeskError> {
    let (before, after) = totals(witness)?;
    let added = plan.uncertified.unwrap_or_default();
    let expected = Quantity {
        mass_mg: before.mass_mg.checked_add(added.mass_mg).ok_or(MakeError::TooMuch)?,
        pieces: before.pieces.checked_add(added.pieces).ok_or(MakeError::TooMuch)?,
    };
    let gain = after.mass_mg.saturating_sub(expected.mass_mg);
    let lost = Quantity {
        mass_mg: expected.mass_mg.saturating_sub(after.mass_mg),
        pieces: expected.pieces.checked_sub(after.pieces).ok_or(MakeError::Unbalanced)?,
    };
    let found = u128::from(gain).saturating_mul(1_000);
    if found > u128::from(before.mass_mg).saturating_mul(permille.into()) {
        return Err(DeskError::BeyondTolerance(permille));
    }
    if gain != 0 {
        witness.gain = Some(OpenAmount::fresh(gain, &mut rand::rng()));
    }
    if lost != Quantity::default() {
        witness.scrap = Some(amounts(plan.kind, lost));
    }
    witness.uncertified = plan.uncertified.map(|added| amounts(plan.kind, added));
    Ok(())
}

/// What a correction takes away.
fn lowered(witness: &Witness) -> Result<Quantity, MakeError> {
    let (before, after) = totals(witness)?;
    let mass_mg = before.mass_mg.checked_sub(after.mass_mg).ok_or(MakeError::Unbalanced)?;
    let pieces = before.pieces.checked_sub(after.pieces).ok_or(MakeError::Unbalanced)?;
    Ok(Quantity { mass_mg, pieces })
}

fn totals(witness: &Witness) -> Result<(Quantity, Quantity), MakeError> {
    let total = |lots: &[OpenLot]| {
        lots.iter().try_fold(Quantity::default(), |sum, lot| {
            Some(Quantity {
                mass_mg: sum.mass_mg.checked_add(lot.mass().number)?,
                pieces: sum.pieces.checked_add(lot.pieces().number)?,
            })
        })
    };
    total(&witness.inputs).zip(total(&witness.outputs)).ok_or(MakeError::TooMuch)
}

fn amounts(kind: Kind, told: Quantity) -> (OpenAmount, Option<OpenAmount>) {
    let counts = matches!(kind, Kind::Rework | Kind::Adjust | Kind::Correct);
    let pieces = counts.then(|| OpenAmount::fresh(told.pieces, &mut rand::rng()));
    (OpenAmount::fresh(told.mass_mg, &mut rand::rng()), pieces)
}
