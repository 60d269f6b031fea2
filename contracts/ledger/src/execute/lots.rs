//! Lot events: seals are broken once, lots come to be. What lots are, and whether an event's quantities balance, the
//! log does not see. Refuses a seal that was broken before, and an event carried by another member than it names: what
//! a seal has signed, nobody else can take from the pool and post. Specification: `proto/README.md`, section 3.

use super::{Context, ExecutionError, hash_field, member_field};
use crate::keys::PublicKey;
use crate::refusal::Refusal;
use crate::state::{self, Overlay, StateView};
use crate::transaction::Transaction;
use heatmark_proto::ledger::v1 as pb;

/// Most lots that come to be in one event.
const MAX_OUTPUTS: usize = 255;

pub(super) fn take_place<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    transaction: &Transaction,
    event: &pb::LotEvent,
) -> Result<(), ExecutionError> {
    hash_field(&event.digest, "digest")?;
    if event.outputs.len() > MAX_OUTPUTS {
        return Err(Refusal::Field("outputs").into());
    }
    for output in &event.outputs {
        hash_field(output, "outputs")?;
    }
    if member_field(&event.carrier)? != context.signer {
        return Err(Refusal::Carrier.into());
    }
    let seals = transaction.cosignatures();
    if seals.iter().any(|seal| seal.purpose() != pb::CoSigner::Seal) {
        return Err(Refusal::Cosignatures.into());
    }
    if seals.is_empty() && event.outputs.is_empty() {
        return Err(Refusal::Field("outputs").into());
    }
    for seal in seals {
        let key = PublicKey::from_bytes(&seal.public_key).map_err(Refusal::from)?;
        let place = state::seal_key(&key.seal_id());
        // An earlier co-signature of this very event counts as well.
        if state.value(&place)?.is_some() {
            return Err(Refusal::SealBroken.into());
        }
        let broken = pb::SealState { height: context.env.height.0, leaf_index: context.leaf_index };
        state.put(place, &broken);
    }
    Ok(())
}
