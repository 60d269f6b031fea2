//! Containers and products: put together, and taken apart into the very lots that went in. What they consist of is kept by their
//! class, which stays theirs through service, relabelling and transfer.

use super::drafts::{Draft, Used, Work, earliest, name};
use crate::lots::plan::LotPlan;
use crate::{Desk, DeskError};
use heatmark_lots::{Kind, LotError, MakeError, OpenAmount, OpenLot, assembly_class};
use heatmark_merkle::Hash;
use heatmark_records::Opening;
use heatmark_vault::{Part, Parts, VaultError};

/// A component as it went in.
struct Component {
    part: Part,
    open: OpenLot,
    description: Opening,
}

/// Makes one lot of all.
pub(super) fn put_together(work: &mut Work<'_>) -> Result<Draft, DeskError> {
    let shape = || DeskError::Lots(MakeError::Rule(LotError::Shape));
    let product = work.plan.kind == Kind::Install;
    let host = work.inputs.first().ok_or_else(shape)?;
    let lot = match work.plan.outputs.as_slice() {
        [] if product => &LotPlan::default(),
        [lot] => lot,
        _ => return Err(shape()),
    };
    let opens: Vec<&OpenLot> = work.inputs.iter().map(|input| &input.open).collect();
    let salt = work.event.salt;
    let mut whole = whole(product, &work.network, &salt, &opens)?;
    whole.expires_ms = earliest(work.inputs);
    whole.name = name(lot, product.then_some(host));
    let kept = [(lot.mass_mg, whole.mass.number), (lot.pieces, whole.pieces.number)];
    if kept.iter().any(|(told, sum)| ![0, *sum].contains(told)) {
        return Err(DeskError::LotKept);
    }
    let description =
        if product { host.description.clone() } else { work.describer.describe(lot, None)? };
    let components = work.inputs.iter().map(part).collect();
    work.beside.parts = Some(Parts { class: whole.class.0, product, salt, components });
    Ok(whole.described(description))
}

impl Desk {
    /// The components of the one lot that goes in, or those that are removed and the rest.
    pub(super) fn taken_apart(&self, work: &mut Work<'_>) -> Result<Vec<Draft>, DeskError> {
        let [whole] = work.inputs else {
            return Err(DeskError::Lots(MakeError::Rule(LotError::Shape)));
        };
        let class = whole.open.lot().content.class;
        let parts = self.parts.vault.parts(&class.0)?;
        let removing = work.plan.kind == Kind::Remove;
        let parts = parts.filter(|parts| parts.product == removing);
        let parts = parts.ok_or_else(|| DeskError::NotAssembled(whole.row.name.clone()))?;
        let components: Vec<Component> =
            parts.components.into_iter().map(Component::read).collect::<Result<_, _>>()?;
        let contents = components.iter().map(|component| component.open.lot().content.clone());
        work.event.components = contents.collect();
        work.event.component_salt = Some(parts.salt);
        if removing { removed(work, whole, components) } else { emptied(work, components) }
    }
}

/// Everything out of a container.
fn emptied(work: &mut Work<'_>, components: Vec<Component>) -> Result<Vec<Draft>, DeskError> {
    let outputs = &work.plan.outputs;
    if !outputs.is_empty() && outputs.len() != components.len() {
        return Err(DeskError::Lots(MakeError::Rule(LotError::Components)));
    }
    let mut drafts = Vec::with_capacity(components.len());
    for (place, component) in components.into_iter().enumerate() {
        work.beside.heirs.push(component.part.lot);
        drafts.push(component.draft(outputs.get(place))?);
    }
    Ok(drafts)
}

/// The components named out of a product, then the product with the rest in it.
fn removed(
    work: &mut Work<'_>,
    whole: &Used,
    components: Vec<Component>,
) -> Result<Vec<Draft>, DeskError> {
    let mut wanted: Vec<&str> = work.plan.removed.iter().map(String::as_str).collect();
    let (mut out, mut left) = (Vec::new(), Vec::new());
    for (place, component) in (0_u8..).zip(components) {
        let asked = wanted.iter().position(|name| *name == component.part.name);
        match asked {
            // The first component is the product itself.
            Some(asked) if place != 0 => {
                wanted.swap_remove(asked);
                work.event.removed.push(place);
                out.push(component);
            }
            _ => left.push(component),
        }
    }
    if let Some(name) = wanted.first() {
        return Err(DeskError::NotInside((*name).to_owned()));
    }
    let outputs = &work.plan.outputs;
    if outputs.len() > out.len().saturating_add(1) {
        return Err(DeskError::Lots(MakeError::Rule(LotError::Components)));
    }
    let mut drafts = Vec::with_capacity(out.len().saturating_add(1));
    for (place, component) in out.into_iter().enumerate() {
        work.beside.heirs.push(component.part.lot);
        drafts.push(component.draft(outputs.get(place))?);
    }
    let unchanged = LotPlan::default();
    let name = name(outputs.get(drafts.len()).unwrap_or(&unchanged), Some(whole));
    drafts.push(rest(work, name, left)?);
    Ok(drafts)
}

/// The product with what is left in it; its host as it was, where that is nothing.
fn rest(work: &mut Work<'_>, name: String, left: Vec<Component>) -> Result<Draft, DeskError> {
    let host = left.first().ok_or(VaultError::Damaged)?;
    let description = host.description.clone();
    if let [host] = left.as_slice() {
        return Ok(Draft::same(name, &host.open, description));
    }
    let opens: Vec<&OpenLot> = left.iter().map(|component| &component.open).collect();
    let salt = work.event.salt;
    let mut whole = whole(true, &work.network, &salt, &opens)?;
    let expiries = opens.iter().map(|open| open.lot().content.expires_ms);
    whole.expires_ms = expiries.filter(|expires| *expires != 0).min().unwrap_or(0);
    whole.name = name;
    let components = left.into_iter().map(|component| component.part).collect();
    work.beside.parts = Some(Parts { class: whole.class.0, product: true, salt, components });
    Ok(whole.described(description))
}

/// A container or product without its description.
struct Whole {
    name: String,
    mass: OpenAmount,
    pieces: OpenAmount,
    class: Hash,
    serials: Option<heatmark_lots::Serials>,
    expires_ms: u64,
}

impl Whole {
    fn described(self, description: Opening) -> Draft {
        let Self { name, mass, pieces, class, serials, expires_ms } = self;
        Draft { name, mass, pieces, class, description, serials, expires_ms }
    }
}

fn whole(
    product: bool,
    network: &[u8; 32],
    salt: &[u8; 32],
    opens: &[&OpenLot],
) -> Result<Whole, DeskError> {
    let contents: Vec<Hash> = opens.iter().map(|open| open.lot().content.hash(network)).collect();
    let total = |amounts: Vec<&OpenAmount>| {
        OpenAmount::total(amounts.into_iter()).ok_or(MakeError::TooMuch)
    };
    let host = opens.first().ok_or(MakeError::Rule(LotError::Components))?;
    let pieces = if product {
        host.pieces().clone()
    } else {
        total(opens.iter().map(|open| open.pieces()).collect())?
    };
    Ok(Whole {
        name: String::new(),
        mass: total(opens.iter().map(|open| open.mass()).collect())?,
        pieces,
        class: assembly_class(product, network, salt, &contents),
        serials: if product { host.lot().content.serials.clone() } else { None },
        expires_ms: 0,
    })
}

fn part(input: &Used) -> Part {
    Part {
        lot: input.row.hash,
        name: input.row.name.clone(),
        open: input.row.open.clone(),
        description: input.row.description.clone(),
    }
}

impl Component {
    fn read(part: Part) -> Result<Self, DeskError> {
        let open = OpenLot::decode(&part.open).map_err(|_| VaultError::Damaged)?;
        let description = Opening::decode(&part.description)?;
        Ok(Self { part, open, description })
    }

    /// The lot that it becomes, which is in everything but its name what went in.
    fn draft(self, lot: Option<&LotPlan>) -> Result<Draft, DeskError> {
        let name = lot.map(|lot| lot.name.clone()).filter(|name| !name.is_empty());
        let quantities = lot.map_or((0, 0), |lot| (lot.mass_mg, lot.pieces));
        let (mass, pieces) = (self.open.mass().number, self.open.pieces().number);
        if ![0, mass].contains(&quantities.0) || ![0, pieces].contains(&quantities.1) {
            return Err(DeskError::LotKept);
        }
        Ok(Draft::same(name.unwrap_or(self.part.name), &self.open, self.description))
    }
}
