//! The kinds of secrets that a node's key files hold.

use ed25519_dalek::SigningKey;
use heatmark_proto::ledger::v1 as pb;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a key file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// Ed25519, kept offline: signs genesis and rotates the others.
    Root,
    /// Ed25519: signs transactions.
    Signing,
    /// Ed25519: the node's name on the exchange network and in TLS.
    P2p,
    /// X25519: receives encrypted envelopes.
    Envelope,
    /// Ed25519: votes on blocks.
    Consensus,
    /// 32 random bytes from which seal, alert and vault keys derive.
    Seed,
    /// 32 random bytes: the vault's key, where it is not to derive from the seed.
    Vault,
}

impl KeyKind {
    /// What every member has.
    pub const MEMBER: [Self; 5] =
        [Self::Root, Self::Signing, Self::P2p, Self::Envelope, Self::Seed];

    /// All kinds, in the order in which people read them.
    pub const ALL: [Self; 7] = [
        Self::Root,
        Self::Signing,
        Self::P2p,
        Self::Envelope,
        Self::Consensus,
        Self::Seed,
        Self::Vault,
    ];

    /// What a rotation signed by the root key replaces.
    pub const ROTATED: [Self; 4] = [Self::Signing, Self::P2p, Self::Envelope, Self::Consensus];

    /// The name in file names and in `role = "…"`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Signing => "signing",
            Self::P2p => "p2p",
            Self::Envelope => "envelope",
            Self::Consensus => "consensus",
            Self::Seed => "seed",
            Self::Vault => "vault",
        }
    }

    /// The name in `algorithm = "…"`.
    #[must_use]
    pub fn algorithm(self) -> &'static str {
        match self {
            Self::Envelope => "x25519",
            Self::Seed | Self::Vault => "hkdf-sha256",
            _ => "ed25519",
        }
    }

    /// What people are told it is for.
    #[must_use]
    pub fn purpose(self) -> &'static str {
        match self {
            Self::Root => "signs genesis, rotates the other keys; keep it offline",
            Self::Signing => "signs this organisation's transactions",
            Self::P2p => "names the node to other nodes and in TLS",
            Self::Envelope => "receives what is encrypted to this organisation",
            Self::Consensus => "votes on blocks",
            Self::Seed => "alert, seal and vault keys derive from it; keep a copy offline",
            Self::Vault => "opens the vault; keep a copy offline",
        }
    }

    /// The role in the registry; none for secrets that are not registered.
    #[must_use]
    pub fn registered(self) -> Option<pb::KeyRole> {
        match self {
            Self::Root => Some(pb::KeyRole::Root),
            Self::Signing => Some(pb::KeyRole::Signing),
            Self::P2p => Some(pb::KeyRole::P2p),
            Self::Envelope => Some(pb::KeyRole::Envelope),
            Self::Consensus => Some(pb::KeyRole::Consensus),
            Self::Seed | Self::Vault => None,
        }
    }

    /// Whether it has a public half.
    #[must_use]
    pub fn has_public(self) -> bool {
        !matches!(self, Self::Seed | Self::Vault)
    }

    /// The public half of a secret; none for the seed and the vault's key.
    pub(crate) fn public_of(self, secret: &[u8; 32]) -> Option<[u8; 32]> {
        match self {
            Self::Seed | Self::Vault => None,
            Self::Envelope => {
                Some(curve25519_dalek::MontgomeryPoint::mul_base_clamped(*secret).to_bytes())
            }
            _ => Some(SigningKey::from_bytes(secret).verifying_key().to_bytes()),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
