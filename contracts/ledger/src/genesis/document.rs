//! The founding document as people write it: founders, their keys and roles, the parameters. Refuses
//! entries that break the registry's form, and objects written as anything else.
//! Specification: `proto/README.md`, section 6.

use super::{FORMAT, GenesisError};
use crate::execute::check_entry;
use crate::keys::PublicKey;
use crate::refusal::Refusal;
use crate::validators::Validator;
use heatmark_proto::ledger::v1 as pb;
use serde::{Deserialize, Serialize};

/// A founder as written in the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// Legal name.
    pub legal_name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Public identifiers.
    pub identifiers: Vec<FounderIdentifier>,
    /// `supplier`, `assembler`, `lab`, `escrow-agent`, `regulator`, `validator`.
    pub roles: Vec<String>,
    /// Public keys, hex.
    pub keys: FounderKeys,
    /// Voting power; 0 without the role `validator`.
    pub power: u64,
}

/// An identifier of a founder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FounderIdentifier {
    /// `lei`, `gln`, `gs1-prefix`, `melt-shop` or `cmrt-smelter`.
    pub scheme: String,
    /// The identifier.
    pub value: String,
}

/// A founder's public keys, hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FounderKeys {
    /// Ed25519.
    pub root: String,
    /// Ed25519.
    pub signing: String,
    /// Ed25519.
    pub p2p: String,
    /// X25519.
    pub envelope: String,
    /// Ed25519; for validators only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus: Option<String>,
}

/// The document whose bytes the network is named after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// `heatmark-genesis-v1`.
    pub format: String,
    /// A name for people, 1 to 64 characters.
    pub name: String,
    /// Genesis time, Unix milliseconds.
    pub time_ms: u64,
    /// What every node agrees on.
    pub parameters: GenesisParameters,
    /// Founders ascending by root key.
    pub founders: Vec<Founder>,
}

macro_rules! parameters {
    ($($(#[$doc:meta])* $field:ident: $kind:ty = $default:expr;)*) => {
        /// [`pb::Parameters`] as written in the document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct GenesisParameters { $($(#[$doc])* pub $field: $kind,)* }

        impl GenesisParameters {
            /// The message.
            #[must_use]
            pub fn to_proto(&self) -> pb::Parameters {
                pb::Parameters { $($field: self.$field,)* }
            }
        }

        impl Default for GenesisParameters {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
}

parameters! {
    /// Milliseconds.
    max_clock_skew_ms: u64 = 5_000;
    /// Milliseconds.
    max_window_ms: u64 = 600_000;
    /// Records.
    max_batch_records: u32 = 1_000_000;
    /// Transactions.
    max_block_transactions: u32 = 5_000;
    /// Bytes.
    max_block_bytes: u32 = 4 * 1024 * 1024;
    /// Bytes.
    reserved_alert_bytes: u32 = 512 * 1024;
    /// Milliseconds.
    heartbeat_ms: u64 = 30_000;
    /// Milliseconds.
    governance_delay_ms: u64 = 86_400_000;
    /// Milliseconds.
    proposal_lifetime_ms: u64 = 604_800_000;
    /// Heights.
    state_history_heights: u64 = 1_000;
}

impl Default for Document {
    fn default() -> Self {
        Self {
            format: FORMAT.to_owned(),
            name: String::new(),
            time_ms: 0,
            parameters: GenesisParameters::default(),
            founders: Vec::new(),
        }
    }
}

impl Document {
    /// The document as text, founders sorted, ending in a newline: the bytes to be hashed.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_text(&self) -> Result<String, GenesisError> {
        let mut sorted = self.clone();
        sorted.founders.sort_by(|a, b| a.keys.root.cmp(&b.keys.root));
        let mut text = serde_json::to_string_pretty(&sorted)?;
        text.push('\n');
        Ok(text)
    }
}

impl Founder {
    pub(super) fn entry(&self) -> Result<(pb::MemberEntry, Option<Validator>), GenesisError> {
        let founder = |reason| GenesisError::Founder { name: self.legal_name.clone(), reason };
        let mut roles = Vec::new();
        for name in &self.roles {
            let role =
                role_from_name(name).ok_or_else(|| founder(Refusal::Entry("unknown role")))?;
            roles.push(role as i32);
        }
        roles.sort_unstable();
        let entry = pb::MemberEntry {
            legal_name: self.legal_name.clone(),
            country: self.country.clone(),
            identifiers: self
                .identifiers
                .iter()
                .map(|i| pb::Identifier { scheme: i.scheme.clone(), value: i.value.clone() })
                .collect(),
            roles,
            keys: self.keys.to_proto().ok_or_else(|| founder(Refusal::Field("keys")))?,
        };
        check_entry(&entry).map_err(founder)?;
        let consensus = entry.keys.iter().find(|key| key.role() == pb::KeyRole::Consensus);
        match (consensus, self.power) {
            (None, 0) => Ok((entry, None)),
            (Some(key), power) if power > 0 => {
                let key = PublicKey::from_bytes(&key.key).map_err(|e| founder(e.into()))?;
                Ok((entry, Some(Validator { key, power })))
            }
            _ => Err(founder(Refusal::Entry("validators, and they alone, have voting power"))),
        }
    }
}

impl FounderKeys {
    fn to_proto(&self) -> Option<Vec<pb::PublicKey>> {
        use pb::KeyAlgorithm::{Ed25519, X25519};
        let key = |role: pb::KeyRole, algorithm: pb::KeyAlgorithm, text: &str| {
            let lower = text.bytes().all(|b| !b.is_ascii_uppercase());
            let key = hex::decode(text).ok().filter(|key| lower && key.len() == 32)?;
            Some(pb::PublicKey { role: role as i32, algorithm: algorithm as i32, key })
        };
        let mut keys = vec![
            key(pb::KeyRole::Root, Ed25519, &self.root)?,
            key(pb::KeyRole::Signing, Ed25519, &self.signing)?,
            key(pb::KeyRole::P2p, Ed25519, &self.p2p)?,
            key(pb::KeyRole::Envelope, X25519, &self.envelope)?,
        ];
        if let Some(consensus) = &self.consensus {
            keys.push(key(pb::KeyRole::Consensus, Ed25519, consensus)?);
        }
        Some(keys)
    }
}

/// A role by the name that people write.
#[must_use]
pub fn role_from_name(name: &str) -> Option<pb::Role> {
    ROLE_NAMES.iter().find(|(_, n)| *n == name).map(|(role, _)| *role)
}

/// The name that people write for a role.
#[must_use]
pub fn role_name(role: pb::Role) -> &'static str {
    ROLE_NAMES.iter().find(|(r, _)| *r == role).map_or("unknown", |(_, name)| name)
}

const ROLE_NAMES: [(pb::Role, &str); 6] = [
    (pb::Role::Supplier, "supplier"),
    (pb::Role::Assembler, "assembler"),
    (pb::Role::Lab, "lab"),
    (pb::Role::EscrowAgent, "escrow-agent"),
    (pb::Role::Regulator, "regulator"),
    (pb::Role::Validator, "validator"),
];

/// Objects must be written as objects: the reader of the types also takes arrays for them.
pub(super) fn check_shape(document: &serde_json::Value) -> Result<(), GenesisError> {
    let founder_is_written = |founder: &serde_json::Value| {
        let identifiers = founder["identifiers"].as_array();
        founder.is_object()
            && founder["keys"].is_object()
            && founder["keys"].get("consensus").is_none_or(serde_json::Value::is_string)
            && identifiers.is_some_and(|all| all.iter().all(serde_json::Value::is_object))
    };
    let founders = document["founders"].as_array();
    let written = document.is_object()
        && document["parameters"].is_object()
        && founders.is_some_and(|all| all.iter().all(founder_is_written));
    if written { Ok(()) } else { Err(GenesisError::Rule("an object is missing or is no object")) }
}
