//! Validator sets: who votes on a height and with what power. Refuses sets out of order, empty,
//! too large or with unacceptable keys. Specification: `proto/README.md`, sections 1 and 6.

use crate::keys::{KeyError, PublicKey};
use heatmark_merkle::{Hash, tag};
use heatmark_proto::ledger::v1 as pb;
use thiserror::Error;

/// Most validators in a set.
pub const MAX_VALIDATORS: usize = 1024;

/// Greatest voting power of one validator, so that sums and their triples fit 64 bits.
pub const MAX_POWER: u64 = 1 << 40;

/// Why a list of validators is no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SetError {
    /// No validator at all.
    #[error("a validator set has at least one member")]
    Empty,
    /// More than [`MAX_VALIDATORS`].
    #[error("a validator set has at most {MAX_VALIDATORS} members")]
    TooMany,
    /// Keys not ascending, or one twice.
    #[error("validators must ascend by key, each once")]
    Order,
    /// Power 0 or above [`MAX_POWER`].
    #[error("voting power must be 1 to {MAX_POWER}")]
    Power,
    /// A key that the network does not accept.
    #[error("a validator's key is not acceptable")]
    Key,
}

/// One validator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validator {
    /// Consensus key.
    pub key: PublicKey,
    /// Voting power, 1 to [`MAX_POWER`].
    pub power: u64,
}

/// Validators ascending by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
    hash: Hash,
}

impl ValidatorSet {
    /// Makes a set from validators in any order.
    ///
    /// # Errors
    /// When it is empty or too large, a key stands twice or a power is out of range.
    pub fn new(mut validators: Vec<Validator>) -> Result<Self, SetError> {
        validators.sort_by_key(|validator| validator.key.to_bytes());
        Self::from_ascending(validators)
    }

    fn from_ascending(validators: Vec<Validator>) -> Result<Self, SetError> {
        if validators.is_empty() {
            return Err(SetError::Empty);
        }
        if validators.len() > MAX_VALIDATORS {
            return Err(SetError::TooMany);
        }
        if validators.iter().any(|v| v.power == 0 || v.power > MAX_POWER) {
            return Err(SetError::Power);
        }
        let keys: Vec<[u8; 32]> = validators.iter().map(|v| v.key.to_bytes()).collect();
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(SetError::Order);
        }
        let powers: Vec<[u8; 8]> = validators.iter().map(|v| v.power.to_be_bytes()).collect();
        let parts: Vec<&[u8]> = keys
            .iter()
            .zip(&powers)
            .flat_map(|(key, power)| [key.as_slice(), power.as_slice()])
            .collect();
        let hash = tag::hash("validators", &parts);
        Ok(Self { validators, hash })
    }

    /// Reads the message.
    ///
    /// # Errors
    /// When the message is not a set: see [`SetError`].
    pub fn from_proto(message: &pb::ValidatorSet) -> Result<Self, SetError> {
        Self::read(message, PublicKey::from_bytes)
    }

    /// Reads the message; the keys that it has in common with a set that was read are not checked again.
    ///
    /// # Errors
    /// As [`Self::from_proto`].
    pub(crate) fn from_proto_after(
        message: &pb::ValidatorSet,
        known: Option<&Self>,
    ) -> Result<Self, SetError> {
        let known = known.map(|set| set.validators.as_slice()).unwrap_or_default();
        Self::read(message, |bytes| {
            match known.binary_search_by(|v| v.key.to_bytes().as_slice().cmp(bytes)) {
                Ok(at) => known.get(at).map(|v| v.key).ok_or(KeyError::UnacceptableKey),
                Err(_) => PublicKey::from_bytes(bytes),
            }
        })
    }

    /// Reads the message from the state, where only acceptable keys come to stand, without paying
    /// for their subgroup checks in every block again.
    pub(crate) fn from_state(message: &pb::ValidatorSet) -> Result<Self, SetError> {
        Self::read(message, PublicKey::from_registry)
    }

    fn read(
        message: &pb::ValidatorSet,
        key: impl Fn(&[u8]) -> Result<PublicKey, KeyError>,
    ) -> Result<Self, SetError> {
        if message.validators.len() > MAX_VALIDATORS {
            return Err(SetError::TooMany);
        }
        let validators = message
            .validators
            .iter()
            .map(|v| {
                let key = key(&v.key).map_err(|_| SetError::Key)?;
                Ok(Validator { key, power: v.power })
            })
            .collect::<Result<_, SetError>>()?;
        Self::from_ascending(validators)
    }

    /// The message.
    #[must_use]
    pub fn to_proto(&self) -> pb::ValidatorSet {
        let validators = self
            .validators
            .iter()
            .map(|v| pb::Validator { key: v.key.to_bytes().to_vec(), power: v.power })
            .collect();
        pb::ValidatorSet { validators }
    }

    /// `H("validators", …)`, what a header names as `next_validators`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The validators, ascending by key.
    #[must_use]
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// Sum of all voting power.
    #[must_use]
    pub fn total_power(&self) -> u64 {
        self.validators.iter().fold(0, |sum, v| sum.saturating_add(v.power))
    }

    /// Position of a key in the set.
    #[must_use]
    pub fn position(&self, key: &[u8; 32]) -> Option<usize> {
        self.validators.binary_search_by_key(key, |v| v.key.to_bytes()).ok()
    }
}
