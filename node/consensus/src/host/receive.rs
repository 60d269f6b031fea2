//! Blocks that others propose: assembled from parts, executed, persisted, and only then reported
//! to the engine. A block for a height ahead waits until what it builds on is committed.

use arc_malachitebft_app_channel::app::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::core::{Round, Validator as _, Validity};
use arc_malachitebft_app_channel::app::types::{PeerId, ProposedValue};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use tracing::{debug, warn};

use super::Host;
use crate::application::{Checked, Freshness, Slot, Undecided};
use crate::context::{Address, BlockId, Heatmark, Height, Part, Validator, ValidatorSet};
use crate::error::Failure;
use crate::parts::Heading;
use crate::signing::round_of;

/// Blocks of the height after next that wait for it.
const MAX_AHEAD: usize = 4;

/// Blocks that one publisher may have executed in a round. An honest one proposes one block; a
/// second is room for what it proposed before a crash that nobody saw complete.
const MAX_CHECKS: u32 = 2;

/// Rounds above the current one whose blocks are taken in.
const ROUNDS_AHEAD: i64 = 16;

/// Peers that one height's log lines name, each once.
const MAX_NAMED: usize = 16;

/// What is known of blocks of undecided heights.
#[derive(Default)]
pub(super) struct Receiving {
    /// Valid blocks of the next height.
    valid: BTreeSet<BlockId>,
    /// Complete blocks of the height after next.
    ahead: Vec<(Heading, Bytes)>,
    /// Blocks executed in the next height, by who published them and for which round.
    checks: BTreeMap<(PeerId, i64), u32>,
    /// Whose node publishes a validator's blocks, as far as it was asked.
    publishers: BTreeMap<Address, Option<PeerId>>,
    /// Validators whose node was asked for in this height.
    asked: BTreeSet<Address>,
    /// Peers that were named for publishing what is not theirs.
    named: BTreeSet<PeerId>,
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
        self.asked.clear();
        self.named.clear();
        self.ahead.retain(|(heading, _)| heading.height > height);
    }

    /// Keeps a block for its height. When there are too many, those go whose turn it will hardly
    /// be, then those of the latest rounds: nobody can crowd out the block that is needed first.
    fn keep_ahead(&mut self, heading: Heading, block: Bytes, turn: impl Fn(&Heading) -> bool) {
        let need = |heading: &Heading| (!turn(heading), heading.round.as_i64());
        let same = |kept: &Heading| {
            (kept.height, kept.round, kept.proposer)
                == (heading.height, heading.round, heading.proposer)
        };
        if self.ahead.iter().any(|(kept, _)| same(kept)) {
            return;
        }
        self.ahead.push((heading, block));
        if self.ahead.len() > MAX_AHEAD {
            let all = self.ahead.iter().enumerate();
            let worst = all.max_by_key(|(_, (heading, _))| need(heading)).map(|(at, _)| at);
            worst.map(|at| self.ahead.swap_remove(at));
        }
    }
}

fn turn_in(set: &ValidatorSet, heading: &Heading) -> bool {
    Validator::address(set.proposer(heading.height, heading.round)) == &heading.proposer
}

fn peer_of(key: &[u8; 32]) -> Option<PeerId> {
    let key = libp2p::identity::ed25519::PublicKey::try_from_bytes(key).ok()?;
    let peer = libp2p::identity::PublicKey::from(key).to_peer_id();
    PeerId::from_bytes(&peer.to_bytes()).ok()
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
        self.started = height;
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
        if !self.expects(&part) {
            return Ok(None);
        }
        let publisher = published_by.unwrap_or(from);
        let Some(bound) = self.is_publisher(publisher, &part).await? else { return Ok(None) };
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
        // Whoever relays a part answers for it only while anybody may publish.
        let bearer = if bound { publisher } else { from };
        let Some((heading, block)) = self.assembly.take(bearer, published_by, part) else {
            return Ok(None);
        };
        if heading.height > next {
            let set = &self.set;
            let turn = |heading: &Heading| turn_in(set, heading);
            self.receiving.keep_ahead(heading, block, turn);
            return Ok(None);
        }
        let place = (publisher, heading.round.as_i64());
        let checks = self.receiving.checks.entry(place).or_default();
        *checks = checks.saturating_add(1);
        if *checks > MAX_CHECKS {
            self.name(publisher, &heading.proposer, "proposes more than one block in a round");
            return Ok(None);
        }
        self.examine(heading, block).await
    }

    /// Whether a peer may publish a part: it is the proposer's node, or nobody knows that node
    /// (then `Some(false)`). Parts are not signed, but who published them is.
    async fn is_publisher(
        &mut self,
        publisher: PeerId,
        part: &Part,
    ) -> Result<Option<bool>, Failure> {
        let proposer = part.proposer;
        if self.set.power_of(&proposer) == 0 {
            // It may be in the next set; of others nothing is remembered.
            return Ok(Some(false));
        }
        let mut known = self.receiving.publishers.get(&proposer).copied();
        if known.is_none_or(|peer| peer != Some(publisher)) && self.receiving.asked.insert(proposer)
        {
            // Keys rotate: nobody is refused for what was true before this height.
            let during = "reading whose node a validator is";
            let key = self.ask(during, move |app| app.publisher(&proposer.0)).await?;
            let peer = key.and_then(|key| peer_of(&key));
            self.receiving.publishers.retain(|key, _| self.set.power_of(key) > 0);
            self.receiving.publishers.insert(proposer, peer);
            known = Some(peer);
        }
        match known.flatten() {
            None => Ok(Some(false)),
            Some(peer) if peer == publisher => Ok(Some(true)),
            Some(_) => {
                self.name(publisher, &proposer, "publishes blocks in another's name");
                Ok(None)
            }
        }
    }

    /// Says once a height who misbehaves.
    fn name(&mut self, peer: PeerId, proposer: &Address, what: &'static str) {
        let named = &mut self.receiving.named;
        if named.len() < MAX_NAMED && named.insert(peer) {
            warn!(height = self.newest.height.next().0, %peer, %proposer, what, "a peer lies");
        }
    }

    fn turn_of(&self, proposer: &Address, height: Height, round: Round) -> bool {
        Validator::address(self.set.proposer(height, round)) == proposer
    }

    /// Whether a part may belong to a block that matters. The set of the height after next is not
    /// known yet: its proposer is checked when the height comes.
    fn expects(&self, part: &Part) -> bool {
        let next = self.next_height();
        // What is proposed again spares the block its check against the clock: in a first round
        // nothing is.
        if part.valid_round.as_i64() >= part.round.as_i64() {
            return false;
        }
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
