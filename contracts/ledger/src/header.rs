//! Block headers: what validators certify. Refuses fields of wrong length.
//! Specification: `proto/README.md`, section 6.

use crate::ids::{HeaderHash, Height, NetworkId, UnixMillis};
use heatmark_merkle::{Hash, HashError, TreeSize, tag};
use heatmark_proto::ledger::v1 as pb;

/// A block header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The network it belongs to.
    pub network: NetworkId,
    /// Protocol version whose rules the block follows.
    pub version: u32,
    /// Place in the chain, from 1.
    pub height: Height,
    /// Block time.
    pub time: UnixMillis,
    /// Hash of the previous header; the network id at height 1.
    pub previous: Hash,
    /// Leaves after this block.
    pub log_size: TreeSize,
    /// Root of the log after this block.
    pub log_root: Hash,
    /// Root of the state map after this block.
    pub state_root: Hash,
    /// Hash of the next height's validator set.
    pub next_validators: Hash,
}

impl Header {
    /// The header's hash, the block's id and the value of consensus.
    #[must_use]
    pub fn hash(&self) -> HeaderHash {
        HeaderHash(tag::hash(
            "header",
            &[
                self.network.as_bytes(),
                &self.version.to_be_bytes(),
                &self.height.0.to_be_bytes(),
                &self.time.0.to_be_bytes(),
                &self.previous.0,
                &self.log_size.0.to_be_bytes(),
                &self.log_root.0,
                &self.state_root.0,
                &self.next_validators.0,
            ],
        ))
    }

    /// Reads the message.
    ///
    /// # Errors
    /// When a hash has not 32 bytes.
    pub fn from_proto(message: &pb::Header) -> Result<Self, HashError> {
        Ok(Self {
            network: NetworkId::try_from(message.network.as_slice())?,
            version: message.version,
            height: Height(message.height),
            time: UnixMillis(message.time_ms),
            previous: Hash::try_from(message.previous.as_slice())?,
            log_size: TreeSize(message.log_size),
            log_root: Hash::try_from(message.log_root.as_slice())?,
            state_root: Hash::try_from(message.state_root.as_slice())?,
            next_validators: Hash::try_from(message.next_validators.as_slice())?,
        })
    }

    /// The message.
    #[must_use]
    pub fn to_proto(&self) -> pb::Header {
        pb::Header {
            network: self.network.to_vec(),
            version: self.version,
            height: self.height.0,
            time_ms: self.time.0,
            previous: self.previous.0.to_vec(),
            log_size: self.log_size.0,
            log_root: self.log_root.0.to_vec(),
            state_root: self.state_root.0.to_vec(),
            next_validators: self.next_validators.0.to_vec(),
        }
    }
}
