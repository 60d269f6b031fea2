//! The ledger's quantities and names as types of their own, so that an index is never taken for a
//! size nor a member for a key. Encodings: `proto/README.md`, section 1.

use heatmark_merkle::Hash;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Hash);

        impl $name {
            /// The 32 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0.0
            }

            /// The 32 bytes as a vector, the form messages carry.
            #[must_use]
            pub fn to_vec(&self) -> Vec<u8> {
                self.0.0.to_vec()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(Hash(bytes))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = heatmark_merkle::HashError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                Hash::try_from(bytes).map(Self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = <Hash as std::str::FromStr>::Err;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

hash_id!(
    /// A network: the hash of its genesis document. What founders compare as the fingerprint.
    NetworkId
);
hash_id!(
    /// A member organisation, for ever, whatever keys it rotates.
    MemberId
);
hash_id!(
    /// A public key with its algorithm.
    KeyId
);
hash_id!(
    /// A transaction: the hash of what its carrier signed.
    TransactionId
);
hash_id!(
    /// A block header's hash, the block's id.
    HeaderHash
);
hash_id!(
    /// What an alert is about: the hash of a record's alert key.
    AlertSubject
);
hash_id!(
    /// A seal that is broken with this key: the hash of the key, under which the state knows it.
    SealId
);
hash_id!(
    /// A deal: the hash of the key that opens it, so that terms can name it before it is opened.
    DealId
);
hash_id!(
    /// What votes and proposals are bound to: the network's id, or since a restart the restart's
    /// id, so that no signature of one era counts in another.
    Era
);

impl Era {
    /// The first one of a network, until its members restart it.
    #[must_use]
    pub fn of(network: NetworkId) -> Self {
        Self(network.0)
    }
}

impl From<&NetworkId> for Era {
    fn from(network: &NetworkId) -> Self {
        Self(network.0)
    }
}

impl From<&Era> for Era {
    fn from(era: &Era) -> Self {
        *era
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A block's place in the chain; the first block is 1, genesis is 0.
    Height,
    u64
);
number!(
    /// An attempt to decide a height, from 0.
    Round,
    u32
);
number!(
    /// Milliseconds since 1970-01-01 00:00 UTC.
    UnixMillis,
    u64
);

number!(
    /// A deal's own time, in Unix milliseconds: block time less the gaps since the deal was opened.
    DealTime,
    u64
);

impl Height {
    /// The next height; `u64::MAX` stays.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The height before; 0 stays.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}
