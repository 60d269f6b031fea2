//! Blocks that others propose: assembled from parts, executed, persisted, and only then reported
//! to the engine. A block for a height ahead waits until what it builds on is committed.

use arc_malachitebft_app_channel::app::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::core::{Round, Validity};
use arc_malachitebft_app_channel::app::types::{PeerId, ProposedValue};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use tracing::{debug, warn};

use super::Host;
use crate::application::{Checked, Freshness, Slot, Undecided};
use crate::context::{Address, BlockId, Heatmark, Height, Part, Validator};
use crate::error::Failure;
use crate::parts::Heading;
use crate::signing::round_of;

/// Blocks of the height after next that wait for it.
const MAX_AHEAD: usize = 4;

/// Blocks that one publisher may have executed in a height.
const MAX_CHECKS: u32 = 64;

/// Rounds above the current one whose blocks are taken in.
const ROUNDS_AHEAD: i64 = 16;

/// What is known of blocks of undecided heights.
#[derive(Default)]
pub(super) struct Receiving {
    /// Valid blocks of the next height.
    valid: BTreeSet<BlockId>,
    /// Complete blocks of the height after next.
    ahead: Vec<(Heading, Bytes)>,
    /// Blocks executed in the next height, by who published them.
    checks: BTreeMap<PeerId, u32>,
    /// The height whose block a peer sent as already decided.
    synced: Option<Height>,
}

impl Receiving {
    /// A block of this node's own: nobody's copy of it need be executed again.
    pub(super) fn note_valid(&mut self, block: BlockId) {
        self.valid.insert(block);
    }

    pub(super) fn note_synced(&mut self, height: Height) {
        self.synced = Some(height);
    }

    pub(super) fn take_synced(&mut self, height: Height) -> bool {
        self.synced.take() == Some(height)
    }

    pub(super) fn forget_through(&mut self, height: Height) {
        self.valid.clear();
        self.checks.clear();
        self.ahead.retain(|(heading, _)| heading.height > height);
    }
}

fn proposed(heading: &Heading, validity: Validity) -> ProposedValue<Heatmark> {
    ProposedValue {
        height: heading.height,
        round: heading.round,
        valid_round: heading.valid_round,
        proposer: heading.proposer,
        value: heading.block,
        validity,
    }
}

fn undecided(undecided: &Undecided) -> ProposedValue<Heatmark> {
    ProposedValue {
        height: undecided.slot.height.into(),
        round: Round::new(undecided.slot.round.0),
        valid_round: Round::Nil,
        proposer: Address(undecided.slot.proposer),
        value: BlockId(undecided.header_hash),
        validity: Validity::Valid,
    }
}

impl Host {
    /// Reports what this node holds of the height: blocks that came early, and those persisted
    /// before a crash.
    pub(super) async fn started_round(
        &mut self,
        height: Height,
        round: Round,
    ) -> Result<Vec<ProposedValue<Heatmark>>, Failure> {
        self.round = round;
        if height != self.next_height() {
            return Ok(Vec::new());
        }
        let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.receiving.ahead)
            .into_iter()
            .partition(|(heading, _)| heading.height == height);
        self.receiving.ahead = later;
        let mut values = Vec::new();
        for (heading, block) in now {
            if self.turn_of(&heading.proposer, heading.height, heading.round) {
                values.extend(self.examine(heading, block).await?);
            }
        }
        let at = height.ledger();
        let kept = self.ask("reading undecided blocks", move |app| app.undecided(at)).await?;
        values.extend(kept.iter().map(undecided));
        Ok(values)
    }

    pub(super) async fn received_part(
        &mut self,
        from: PeerId,
        published_by: Option<PeerId>,
        part: StreamMessage<Part>,
    ) -> Result<Option<ProposedValue<Heatmark>>, Failure> {
        let Some(part) = part.content.into_data() else { return Ok(None) };
        let next = self.next_height();
        if part.height > next {
            self.pace.others_went_on();
        }
        if !self.expects(&part) {
            return Ok(None);
        }
        if part.height == next && self.receiving.valid.contains(&part.block) {
            // Proposed again in a later round: the block is here already.
            let heading = Heading {
                height: part.height,
                round: part.round,
                valid_round: part.valid_round,
                proposer: part.proposer,
                block: part.block,
            };
            return Ok((part.index == 0).then(|| proposed(&heading, Validity::Valid)));
        }
        let Some((heading, block)) = self.assembly.take(from, published_by, part) else {
            return Ok(None);
        };
        if heading.height > next {
            if self.receiving.ahead.len() < MAX_AHEAD {
                self.receiving.ahead.push((heading, block));
            }
            return Ok(None);
        }
        let checks = self.receiving.checks.entry(published_by.unwrap_or(from)).or_default();
        *checks = checks.saturating_add(1);
        if *checks > MAX_CHECKS {
            warn!(%from, height = heading.height.0, "too many blocks from one peer");
            return Ok(None);
        }
        self.examine(heading, block).await
    }

    fn turn_of(&self, proposer: &Address, height: Height, round: Round) -> bool {
        use arc_malachitebft_app_channel::app::types::core::Validator as _;
        Validator::address(self.set.proposer(height, round)) == proposer
    }

    /// Whether a part may belong to a block that matters. The set of the height after next is not
    /// known yet: its proposer is checked when the height comes.
    fn expects(&self, part: &Part) -> bool {
        let next = self.next_height();
        if part.height == next {
            let newest_round = self.round.as_i64().max(0).saturating_add(ROUNDS_AHEAD);
            part.round.as_i64() <= newest_round
                && self.turn_of(&part.proposer, part.height, part.round)
        } else {
            part.height.0 == next.0.saturating_add(1) && part.round.as_i64() <= ROUNDS_AHEAD
        }
    }

    /// Has a block executed and persisted.
    async fn examine(
        &mut self,
        heading: Heading,
        block: Bytes,
    ) -> Result<Option<ProposedValue<Heatmark>>, Failure> {
        let Some(round) = round_of(heading.round) else { return Ok(None) };
        let proposer = heading.proposer.0;
        let slot = Slot { height: heading.height.ledger(), round, proposer };
        let freshness = match heading.valid_round {
            Round::Nil => Freshness::Fresh,
            Round::Some(_) => Freshness::Relocked,
        };
        let during = "checking a proposed block";
        let checked = self.ask(during, move |app| app.check(&slot, block, freshness)).await?;
        let (height, round) = (heading.height.0, round.0);
        let validity = match checked {
            Checked::Valid(hash) if hash == heading.block.0 => {
                self.receiving.note_valid(heading.block);
                Validity::Valid
            }
            Checked::Invalid { header_hash, refusal } if header_hash == heading.block.0 => {
                warn!(height, round, proposer = %heading.proposer, %refusal, "invalid proposal");
                Validity::Invalid
            }
            Checked::Valid(_) | Checked::Invalid { .. } => {
                warn!(height, round, "the parts make another block than they say");
                return Ok(None);
            }
            Checked::NoBlock(refusal) => {
                debug!(height, round, %refusal, "the parts make no block");
                return Ok(None);
            }
        };
        self.pace.others_went_on();
        Ok(Some(proposed(&heading, validity)))
    }
}
