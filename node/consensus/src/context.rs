//! The engine's types in terms of the ledger's: addresses are consensus keys, values are header
//! hashes, and votes carry no extensions. Specification: `proto/README.md`, section 6.

use arc_malachitebft_app_channel::app::types::core as engine;
use bytes::Bytes;
use engine::{NilOrVal, Round, SignedExtension, VoteType};
use heatmark_ledger::ids::HeaderHash;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::validators as ledger;
use std::fmt;
use std::sync::Arc;

use crate::signing::Scheme;

/// Ties the engine's type parameters together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heatmark;

/// A validator's consensus key, which is also its address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(pub(crate) [u8; 32]);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl engine::Address for Address {}

/// A block's place in the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Height(pub(crate) u64);

impl Height {
    pub(crate) fn ledger(self) -> heatmark_ledger::ids::Height {
        heatmark_ledger::ids::Height(self.0)
    }
}

impl From<heatmark_ledger::ids::Height> for Height {
    fn from(height: heatmark_ledger::ids::Height) -> Self {
        Self(height.0)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl engine::Height for Height {
    const ZERO: Self = Self(0);
    const INITIAL: Self = Self(1);

    fn increment_by(&self, n: u64) -> Self {
        Self(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Self)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// What is decided: the hash of a block's header, its own id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BlockId(pub(crate) HeaderHash);

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl engine::Value for BlockId {
    type Id = Self;

    fn id(&self) -> Self {
        *self
    }
}

/// A part of a block on its way to the other validators. Each says what it belongs to, so that
/// parts may arrive in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) height: Height,
    pub(crate) round: Round,
    /// The earlier round whose quorum of prevotes the block had, if it is proposed again.
    pub(crate) valid_round: Round,
    pub(crate) proposer: Address,
    pub(crate) block: BlockId,
    pub(crate) index: u32,
    pub(crate) count: u32,
    pub(crate) chunk: Bytes,
}

impl engine::ProposalPart<Heatmark> for Part {
    fn is_first(&self) -> bool {
        self.index == 0
    }

    fn is_last(&self) -> bool {
        self.index.saturating_add(1) == self.count
    }
}

/// The header hash that a proposer puts to the vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proposal {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: BlockId,
    pub(crate) pol_round: Round,
    pub(crate) address: Address,
}

impl engine::Proposal<Heatmark> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &BlockId {
        &self.value
    }

    fn take_value(self) -> BlockId {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.pol_round
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }
}

/// A prevote or precommit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) kind: VoteType,
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) value: NilOrVal<BlockId>,
    pub(crate) address: Address,
}

impl engine::Vote<Heatmark> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<BlockId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<BlockId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }

    fn extension(&self) -> Option<&SignedExtension<Heatmark>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<Heatmark>> {
        None
    }

    // Extensions would stand outside what receipts verify; the policy keeps them disabled.
    fn extend(self, _: SignedExtension<Heatmark>) -> Self {
        self
    }
}

/// A member of a validator set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validator {
    address: Address,
    key: PublicKey,
    power: u64,
}

impl engine::Validator<Heatmark> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &PublicKey {
        &self.key
    }

    fn voting_power(&self) -> u64 {
        self.power
    }
}

/// The validators of a height, ascending by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ValidatorSet {
    validators: Arc<Vec<Validator>>,
    total_power: u64,
}

impl From<&ledger::ValidatorSet> for ValidatorSet {
    fn from(set: &ledger::ValidatorSet) -> Self {
        let validators = set
            .validators()
            .iter()
            .map(|v| Validator { address: Address(v.key.to_bytes()), key: v.key, power: v.power })
            .collect();
        Self { validators: Arc::new(validators), total_power: set.total_power() }
    }
}

impl ValidatorSet {
    /// Whose turn it is. Everybody's comes, whatever its power.
    ///
    /// # Panics
    /// When the set is empty, which a ledger's set never is.
    pub(crate) fn proposer(&self, height: Height, round: Round) -> &Validator {
        let count = u64::try_from(self.validators.len()).unwrap_or(u64::MAX);
        let turn = height.0.wrapping_add(u64::from(round.as_u32().unwrap_or(0)));
        let index = turn.checked_rem(count).and_then(|index| usize::try_from(index).ok());
        index
            .and_then(|index| self.validators.get(index))
            .expect("a ledger's validator set has at least one member")
    }

    /// Whose turn a round is.
    pub(crate) fn turn(&self, height: Height, round: u32) -> &Address {
        &self.proposer(height, Round::new(round)).address
    }

    /// Who is in the set.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.validators.iter().map(|validator| &validator.address)
    }

    /// Power of one validator; 0 when it is not in the set.
    pub(crate) fn power_of(&self, address: &Address) -> u64 {
        engine::ValidatorSet::get_by_address(self, address).map_or(0, |v| v.power)
    }

    pub(crate) fn total_power(&self) -> u64 {
        self.total_power
    }
}

impl engine::ValidatorSet<Heatmark> for ValidatorSet {
    fn count(&self) -> usize {
        self.validators.len()
    }

    fn total_voting_power(&self) -> u64 {
        self.total_power
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        let index = self.validators.binary_search_by_key(address, |v| v.address).ok()?;
        self.validators.get(index)
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.validators.get(index)
    }
}

impl engine::Context for Heatmark {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = ValidatorSet;
    type Timeouts = crate::turns::TurnTimeouts;
    type Value = BlockId;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Scheme;

    fn select_proposer<'a>(
        &self,
        set: &'a ValidatorSet,
        height: Height,
        round: Round,
    ) -> &'a Validator {
        set.proposer(height, round)
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockId,
        pol_round: Round,
        address: Address,
    ) -> Proposal {
        Proposal { height, round, value, pol_round, address }
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockId>,
        address: Address,
    ) -> Vote {
        Vote { kind: VoteType::Prevote, height, round, value, address }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockId>,
        address: Address,
    ) -> Vote {
        Vote { kind: VoteType::Precommit, height, round, value, address }
    }
}
