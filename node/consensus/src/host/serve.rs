//! Catching up: decided blocks for peers that ask, and those that peers send. A block from a peer
//! is certified before it comes here, and executed like any other.

use arc_malachitebft_app_channel::app::engine::host::SyncedValueOutcome;
use arc_malachitebft_app_channel::app::types::ProposedValue;
use arc_malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, Round, Validity,
};
use arc_malachitebft_app_channel::app::types::sync::RawDecidedValue;
use bytes::Bytes;
use heatmark_ledger::validators::ValidatorSet as LedgerSet;
use std::ops::RangeInclusive;
use tracing::{error, warn};

use super::Host;
use crate::application::{Certified, Checked, Freshness, Slot};
use crate::codec::{MAX_REQUEST_BLOCKS, MAX_RESPONSE_BYTES};
use crate::context::{Address, BlockId, Heatmark, Height};
use crate::error::Failure;
use crate::signing::{Signature, round_of};

/// Bytes of blocks in one answer; what is left of the engine's limit is for certificates.
const MAX_BLOCKS_BYTES: usize = MAX_RESPONSE_BYTES.saturating_sub(1024 * 1024);

/// A stored block in the engine's terms; `None` when its certificate does not fit the set.
fn to_engine(certified: &Certified, set: &LedgerSet) -> Option<RawDecidedValue<Heatmark>> {
    let commit_signatures = certified
        .certificate
        .signatures
        .iter()
        .map(|(index, signature)| {
            let validator = set.validators().get(usize::try_from(*index).ok()?)?;
            let signature = Signature::try_from(signature.as_slice()).ok()?;
            let address = Address(validator.key.to_bytes());
            Some(ExtendedCommitSignature::new(address, signature, None))
        })
        .collect::<Option<Vec<_>>>()?;
    let certificate = ExtendedCommitCertificate {
        height: certified.height.into(),
        round: Round::new(certified.certificate.round.0),
        value_id: BlockId(certified.header_hash),
        commit_signatures,
    };
    Some(RawDecidedValue::new(certified.block.clone(), certificate))
}

impl Host {
    pub(super) async fn decided_values(
        &mut self,
        range: RangeInclusive<Height>,
    ) -> Result<Vec<RawDecidedValue<Heatmark>>, Failure> {
        // The engine does not check what a peer asks for.
        let from = range.start().ledger();
        let last = from.0.saturating_add(MAX_REQUEST_BLOCKS.saturating_sub(1));
        let to =
            range.end().ledger().min(self.newest.height).min(heatmark_ledger::ids::Height(last));
        if from.0 == 0 || from > to {
            return Ok(Vec::new());
        }
        self.ask("reading decided blocks", move |app| {
            let mut values = Vec::new();
            for certified in app.certified(from..=to, MAX_BLOCKS_BYTES)? {
                let set = app.validators(certified.height)?;
                let Some(value) = set.and_then(|set| to_engine(&certified, &set)) else {
                    error!(
                        height = certified.height.0,
                        "a stored certificate does not fit its set"
                    );
                    break;
                };
                values.push(value);
            }
            Ok(values)
        })
        .await
    }

    pub(super) async fn synced_value(
        &mut self,
        (height, round): (Height, Round),
        proposer: Address,
        block: Bytes,
    ) -> Result<SyncedValueOutcome<Heatmark>, Failure> {
        let Some(ledger_round) = round_of(round).filter(|_| height == self.next_height()) else {
            return Ok(SyncedValueOutcome::LocalTransientError);
        };
        let slot = Slot { height: height.ledger(), round: ledger_round, proposer: proposer.0 };
        let checked = self
            .ask("checking a certified block", move |app| {
                app.check(&slot, block, Freshness::Certified)
            })
            .await?;
        let (value, validity) = match checked {
            Checked::Valid(hash) => {
                self.receiving.note_synced(height);
                (BlockId(hash), Validity::Valid)
            }
            Checked::Invalid { header_hash, refusal } => {
                // If the certificate is for this header the engine says so and stays there.
                error!(height = height.0, %refusal, "a synced block is invalid here");
                (BlockId(header_hash), Validity::Invalid)
            }
            Checked::NoBlock(refusal) => {
                warn!(height = height.0, %refusal, "a peer sent what is no block");
                return Ok(SyncedValueOutcome::PeerFault);
            }
        };
        let valid_round = Round::Nil;
        let proposed = ProposedValue { height, round, valid_round, proposer, value, validity };
        Ok(SyncedValueOutcome::Verdict(proposed))
    }
}
