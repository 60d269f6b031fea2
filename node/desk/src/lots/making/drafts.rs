//! What comes out of an event, kind by kind, before it has a seal: quantities under blindings that are fresh, kept or added up,
//! as the kind asks, and class, description and expiry that follow from what went in.

use super::assembly;
use super::describing::Describer;
use crate::lots::plan::{EventPlan, LotPlan};
use crate::{Desk, DeskError};
use heatmark_lots::{
    Event, Kind, LotError, MakeError, OpenAmount, OpenLot, Serials, blend_class, certified_class,
    uncertified_class,
};
use heatmark_merkle::Hash;
use heatmark_records::Opening;
use heatmark_vault::{Beside, LotRow, VaultError};

/// A lot that goes in.
pub(in crate::lots) struct Used {
    pub(in crate::lots) row: LotRow,
    pub(in crate::lots) open: OpenLot,
    pub(in crate::lots) description: Opening,
}

impl Used {
    pub(in crate::lots) fn read(row: LotRow) -> Result<Self, DeskError> {
        let open = OpenLot::decode(&row.open).map_err(|_| VaultError::Damaged)?;
        let description = Opening::decode(&row.description)?;
        Ok(Self { row, open, description })
    }
}

/// A lot that comes out, without its seal.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) mass: OpenAmount,
    pub(super) pieces: OpenAmount,
    pub(super) class: Hash,
    pub(super) description: Opening,
    pub(super) serials: Option<Serials>,
    pub(super) expires_ms: u64,
}

impl Draft {
    /// The very lot that is in `open`.
    pub(super) fn same(name: String, open: &OpenLot, description: Opening) -> Self {
        let content = &open.lot().content;
        Self {
            name,
            mass: open.mass().clone(),
            pieces: open.pieces().clone(),
            class: content.class,
            description,
            serials: content.serials.clone(),
            expires_ms: content.expires_ms,
        }
    }
}

/// An event while it is put together.
pub(super) struct Work<'p> {
    pub(super) plan: &'p EventPlan,
    pub(super) inputs: &'p [Used],
    pub(super) event: Event,
    pub(super) beside: Beside,
    pub(super) describer: Describer<'p>,
    pub(super) network: [u8; 32],
}

impl Desk {
    /// The lots that come out.
    pub(super) fn drafts(&self, work: &mut Work<'_>) -> Result<Vec<Draft>, DeskError> {
        match work.plan.kind {
            Kind::Return | Kind::Service | Kind::Relabel => pairs(work),
            Kind::Repair => repaired(work).map(|draft| vec![draft]),
            Kind::Aggregate | Kind::Install => {
                assembly::put_together(work).map(|whole| vec![whole])
            }
            Kind::Disaggregate | Kind::Remove => self.taken_apart(work),
            _ => fresh(work),
        }
    }
}

/// Lots whose quantities are new.
fn fresh(work: &mut Work<'_>) -> Result<Vec<Draft>, DeskError> {
    let class = class(work);
    let earliest = earliest(work.inputs);
    let mut drafts = Vec::with_capacity(work.plan.outputs.len());
    for lot in &work.plan.outputs {
        let first = work.inputs.first();
        let description = match first.filter(|_| keeps_description(work.plan.kind)) {
            Some(input) => input.description.clone(),
            None => work.describer.describe(lot, first.map(|input| &input.description))?,
        };
        drafts.push(Draft {
            name: name(lot, first.filter(|_| work.inputs.len() == 1)),
            mass: OpenAmount::fresh(lot.mass_mg, &mut rand::rng()),
            pieces: OpenAmount::fresh(lot.pieces, &mut rand::rng()),
            class,
            description,
            serials: None,
            expires_ms: if lot.expires_ms == 0 { earliest } else { lot.expires_ms },
        });
    }
    Ok(drafts)
}

/// Each lot under another seal.
fn pairs(work: &mut Work<'_>) -> Result<Vec<Draft>, DeskError> {
    let outputs = &work.plan.outputs;
    if !outputs.is_empty() && outputs.len() != work.inputs.len() {
        return Err(DeskError::Lots(MakeError::Rule(LotError::Shape)));
    }
    let unchanged = LotPlan::default();
    let mut drafts = Vec::with_capacity(work.inputs.len());
    for (place, input) in work.inputs.iter().enumerate() {
        let lot = outputs.get(place).unwrap_or(&unchanged);
        let kept = [(lot.mass_mg, input.open.mass()), (lot.pieces, input.open.pieces())];
        if kept.iter().any(|(told, had)| ![0, had.number].contains(told)) {
            return Err(DeskError::LotKept);
        }
        let name = name(lot, Some(input));
        let named = work.plan.kind == Kind::Relabel && name != input.row.name;
        let description = if named || !lot.product.is_empty() {
            work.describer.describe(lot, Some(&input.description))?
        } else {
            input.description.clone()
        };
        let mut draft = Draft::same(name, &input.open, description);
        if lot.expires_ms != 0 {
            draft.expires_ms = lot.expires_ms;
        }
        drafts.push(draft);
    }
    Ok(drafts)
}

/// A product that keeps its pieces and what it is, whatever was taken off or added.
fn repaired(work: &mut Work<'_>) -> Result<Draft, DeskError> {
    let shape = || DeskError::Lots(MakeError::Rule(LotError::Shape));
    let [input] = work.inputs else { return Err(shape()) };
    let lot = match work.plan.outputs.as_slice() {
        [] => &LotPlan::default(),
        [lot] => lot,
        _ => return Err(shape()),
    };
    if ![0, input.open.pieces().number].contains(&lot.pieces) {
        return Err(DeskError::LotKept);
    }
    let description = if lot.product.is_empty() {
        input.description.clone()
    } else {
        work.describer.describe(lot, Some(&input.description))?
    };
    let mut draft = Draft::same(name(lot, Some(input)), &input.open, description);
    let added = work.plan.uncertified.unwrap_or_default().mass_mg;
    let left = input.open.mass().number.checked_add(added);
    let left = left.and_then(|mass| mass.checked_sub(work.plan.scrap.mass_mg));
    let left = left.ok_or(MakeError::Unbalanced)?;
    let mass_mg = if lot.mass_mg == 0 { left } else { lot.mass_mg };
    draft.mass = OpenAmount::fresh(mass_mg, &mut rand::rng());
    if lot.expires_ms != 0 {
        draft.expires_ms = lot.expires_ms;
    }
    Ok(draft)
}

fn class(work: &Work<'_>) -> Hash {
    let (network, salt) = (&work.network, &work.event.salt);
    let mut classes = work.inputs.iter().map(|input| input.open.lot().content.class);
    match (work.plan.kind, &work.plan.certificate) {
        (Kind::Blend, _) => {
            let added = work.plan.uncertified.is_some();
            let added = added.then(|| uncertified_class(network, salt));
            blend_class(network, salt, classes.chain(added))
        }
        (_, Some(record)) => certified_class(network, record),
        (_, None) => classes.next().unwrap_or_else(|| uncertified_class(network, salt)),
    }
}

/// The earliest expiry of what goes in; 0 where nothing expires.
pub(super) fn earliest(inputs: &[Used]) -> u64 {
    let expiries = inputs.iter().map(|input| input.open.lot().content.expires_ms);
    expiries.filter(|expires| *expires != 0).min().unwrap_or(0)
}

/// The name that is told, or that of the lot that this one continues.
pub(super) fn name(lot: &LotPlan, input: Option<&Used>) -> String {
    match input {
        Some(input) if lot.name.is_empty() => input.row.name.clone(),
        _ => lot.name.clone(),
    }
}

const fn keeps_description(kind: Kind) -> bool {
    matches!(kind, Kind::Split | Kind::Merge | Kind::Adjust | Kind::Correct)
}
