//! Events as the log has them: each stands where the capsule says, and is the one whose digest, outputs and broken seals the
//! transaction names. Refuses everything else, event by event.

use heatmark_ledger::header::Header;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::{LeafIndex, transaction, wire};
use heatmark_lots::{Event, LotError, Proofs};
use heatmark_merkle::{Hash, tree};

use super::CapsuleEvent;

/// The key of a broken seal, and its blind.
pub(super) type BrokenSeal = ([u8; 32], [u8; 32]);

/// An event that stands on the log.
pub(super) struct Logged {
    pub(super) event: Event,
    pub(super) proofs: Proofs,
    /// The member that carried it.
    pub(super) carrier: MemberId,
    /// From when on, and before when, its transaction could stand.
    pub(super) window_ms: (u64, u64),
    /// The broken seals, in order.
    pub(super) seals: Vec<BrokenSeal>,
}

impl Logged {
    /// Reads an event and finds it on the log.
    pub(super) fn verify(entry: &CapsuleEvent, header: &Header) -> Result<Self, &'static str> {
        let network = header.network.as_bytes();
        check_inclusion(&entry.transaction, entry.leaf, &entry.path, header)?;
        let (envelope, body) = read(&entry.transaction)?;
        let Some(Payload::LotEvent(logged)) = body.payload else { return Err("not-a-lot-event") };
        let event = Event::decode(&entry.event).map_err(LotError::code)?;
        let proofs = Proofs::decode(&entry.proofs).map_err(LotError::code)?;
        if logged.digest != event.digest(network).0 {
            return Err("event-digest");
        }
        let outputs = event.output_hashes(network);
        if !logged.outputs.iter().eq(outputs.iter().map(|hash| &hash.0[..])) {
            return Err("event-outputs");
        }
        let seals = seals(&envelope, &entry.blinds, &event)?;
        let carrier =
            MemberId::try_from(logged.carrier.as_slice()).map_err(|_| "body-not-canonical")?;
        let window_ms = (body.not_before_ms, body.not_after_ms);
        Ok(Self { event, proofs, carrier, window_ms, seals })
    }
}

/// Where a transaction stands, by the one header.
pub(super) fn check_inclusion(
    envelope: &[u8],
    leaf: u64,
    path: &[u8],
    header: &Header,
) -> Result<(), &'static str> {
    let (hashes, rest) = path.as_chunks::<32>();
    // A log of 2^64 leaves is 64 levels deep.
    if !rest.is_empty() || hashes.len() > 64 {
        return Err("inclusion-path");
    }
    let hashes: Vec<Hash> = hashes.iter().copied().map(Hash).collect();
    let hash = transaction::leaf_hash(envelope);
    tree::verify_inclusion(&hash, LeafIndex(leaf), header.log_size, &hashes, &header.log_root)
        .map_err(|_| "inclusion-path")
}

pub(super) fn read(transaction: &[u8]) -> Result<(pb::Envelope, pb::Body), &'static str> {
    let envelope = wire::decode_envelope(transaction).map_err(|_| "body-not-canonical")?;
    let body = wire::decode_body(&envelope.body).map_err(|_| "body-not-canonical")?;
    Ok((envelope, body))
}

/// The broken seals: one for each input; for a commission the origin seal, where it has an origin.
fn seals(
    envelope: &pb::Envelope,
    blinds: &[u8],
    event: &Event,
) -> Result<Vec<BrokenSeal>, &'static str> {
    let wanted = event.inputs.len().saturating_add(usize::from(event.origin.is_some()));
    let (blinds, rest) = blinds.as_chunks::<32>();
    let broken = &envelope.cosignatures;
    let sealed = broken.iter().all(|seal| seal.purpose() == pb::CoSigner::Seal);
    if !rest.is_empty() || !sealed || broken.len() != wanted || blinds.len() != wanted {
        return Err("seal-count");
    }
    let key = |seal: &pb::CoSignature| seal.public_key.as_slice().try_into();
    let keys: Result<Vec<[u8; 32]>, _> = broken.iter().map(key).collect();
    Ok(keys.map_err(|_| "seal-count")?.into_iter().zip(blinds.iter().copied()).collect())
}
