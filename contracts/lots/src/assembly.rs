//! Containers and products: their class is a hash over the contents of their components, so that what is taken out is what
//! went in, commitment for commitment, and nothing has to be proved about it. Quantities add up as points.
#![allow(clippy::arithmetic_side_effects, reason = "in the group nothing can overflow")]

use curve25519_dalek::ristretto::RistrettoPoint;
use heatmark_merkle::Hash;

use crate::class::assembly_class;
use crate::lot::{Amount, Content};
use crate::{Event, Kind, Lot, LotError};

fn sum<'a>(amounts: impl Iterator<Item = &'a Amount>) -> RistrettoPoint {
    amounts.map(Amount::point).sum()
}

fn hashes<'a>(network: &[u8; 32], contents: impl Iterator<Item = &'a Content>) -> Vec<Hash> {
    contents.map(|content| content.hash(network)).collect()
}

/// The earliest expiry; 0 for none.
pub(crate) fn earliest<'a>(contents: impl Iterator<Item = &'a Content>) -> u64 {
    contents.map(|content| content.expires_ms).filter(|expires| *expires != 0).min().unwrap_or(0)
}

/// What a container of these components, or a product whose host is the first of them, has to be, given its description.
fn check_whole(
    (product, salt): (bool, &[u8; 32]),
    network: &[u8; 32],
    whole: &Content,
    components: &[&Content],
) -> Result<(), LotError> {
    let class =
        assembly_class(product, network, salt, &hashes(network, components.iter().copied()));
    if whole.class != class {
        return Err(LotError::Class);
    }
    let mass = sum(components.iter().map(|component| &component.mass));
    let host = components.first().ok_or(LotError::Components)?;
    let counted = if product {
        whole.pieces == host.pieces
    } else {
        *whole.pieces.point() == sum(components.iter().map(|component| &component.pieces))
    };
    if *whole.mass.point() != mass || !counted {
        return Err(LotError::Components);
    }
    let kept = if product {
        whole.serials == host.serials && whole.description == host.description
    } else {
        whole.serials.is_none()
    };
    if kept { Ok(()) } else { Err(LotError::Changed) }
}

/// Aggregate and install: one output, made of all inputs.
pub(crate) fn check_put_together(
    event: &Event,
    network: &[u8; 32],
    inputs: &[&Lot],
) -> Result<(), LotError> {
    let [whole] = event.outputs.as_slice() else { return Err(LotError::Shape) };
    let components: Vec<&Content> = inputs.iter().map(|lot| &lot.content).collect();
    let product = event.kind == Kind::Install;
    if whole.content.expires_ms != earliest(components.iter().copied()) {
        return Err(LotError::Expiry);
    }
    check_whole((product, &event.salt), network, &whole.content, &components)
}

/// Disaggregate and remove: the one input is made of the components that the event names.
pub(crate) fn check_taken_apart(
    event: &Event,
    network: &[u8; 32],
    whole: &Lot,
) -> Result<(), LotError> {
    let salt = event.component_salt.as_ref().ok_or(LotError::WrongPart)?;
    let components: Vec<&Content> = event.components.iter().collect();
    let product = event.kind == Kind::Remove;
    check_whole((product, salt), network, &whole.content, &components)?;
    let outputs: Vec<&Content> = event.outputs.iter().map(|lot| &lot.content).collect();
    if product {
        return check_removed(event, network, &outputs);
    }
    if outputs == components { Ok(()) } else { Err(LotError::Components) }
}

/// The outputs are the removed components, then the product with what is left in it.
fn check_removed(event: &Event, network: &[u8; 32], outputs: &[&Content]) -> Result<(), LotError> {
    let ascending = event.removed.array_windows::<2>().all(|[left, right]| left < right);
    // The first component is the product itself.
    if !ascending || event.removed.first() == Some(&0) {
        return Err(LotError::Components);
    }
    let place = |component: usize| u8::try_from(component).unwrap_or(u8::MAX);
    let is_removed = |component: usize| event.removed.contains(&place(component));
    let components = || event.components.iter().enumerate();
    let removed: Vec<&Content> =
        components().filter(|(at, _)| is_removed(*at)).map(|(_, content)| content).collect();
    let left: Vec<&Content> =
        components().filter(|(at, _)| !is_removed(*at)).map(|(_, content)| content).collect();
    let (rest, out) = outputs.split_last().ok_or(LotError::Shape)?;
    if removed.len() != event.removed.len() || out != removed {
        return Err(LotError::Components);
    }
    if let [host] = left.as_slice() {
        return if host == rest { Ok(()) } else { Err(LotError::Components) };
    }
    if rest.expires_ms != earliest(left.iter().copied()) {
        return Err(LotError::Expiry);
    }
    check_whole((true, &event.salt), network, rest, &left)
}
