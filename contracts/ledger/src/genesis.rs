//! The founding document: read, compared by fingerprint, signed by every founder, and turned into
//! the state at height 0. Refuses unknown and repeated fields, entries that break the registry's
//! form, and missing or wrong signatures. Specification: `proto/README.md`, section 6.

mod document;

pub use document::{
    Document, Founder, FounderIdentifier, FounderKeys, GenesisParameters, role_from_name, role_name,
};

use crate::execute::{Environment, ExecutionError};
use crate::execute::{check_parameters, enter, member_id_of, put_validators};
use crate::ids::{Height, MemberId, NetworkId, UnixMillis};
use crate::keys::{self, KeyError, PublicKey};
use crate::refusal::Refusal;
use crate::state::{self, Changes, Overlay, StateError, StateView};
use crate::validators::{SetError, ValidatorSet};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use heatmark_merkle::tag;
use heatmark_proto::ledger::v1 as pb;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Largest genesis text in bytes.
pub const MAX_GENESIS_BYTES: usize = 4 * 1024 * 1024;

/// Most founders.
pub const MAX_FOUNDERS: usize = 1_024;

const FORMAT: &str = "heatmark-genesis-v1";
const DASH: &str = "\u{2014} ";

/// Why a text is no genesis. Whoever wrote the text must mend it.
#[derive(Debug, Error)]
pub enum GenesisError {
    /// Larger than [`MAX_GENESIS_BYTES`], or not UTF-8.
    #[error("a genesis text is UTF-8 of at most 4 MiB")]
    Text,
    /// The document is not the JSON it must be.
    #[error("genesis document: {0}")]
    Json(#[from] serde_json::Error),
    /// A signature line is not `— <member id> <base64>`, or out of order.
    #[error("signature lines must read `— <member id> <base64>`, ascending by member id")]
    SignatureLine,
    /// A signature is by no founder.
    #[error("member {0} signed but is no founder")]
    NotAFounder(MemberId),
    /// A founder's signature does not verify.
    #[error("the signature of member {0} does not verify")]
    BadSignature(MemberId),
    /// A founder has not signed yet.
    #[error("{0} has not signed")]
    Unsigned(String),
    /// A founder's entry breaks a rule.
    #[error("founder {name}: {reason}")]
    Founder {
        /// Legal name as written.
        name: String,
        /// The rule.
        reason: Refusal,
    },
    /// Something else is out of bounds.
    #[error("genesis document: {0}")]
    Rule(&'static str),
    /// The validators make no set.
    #[error("genesis validators: {0}")]
    Set(#[from] SetError),
}

/// A genesis text, read and checked; signatures may still be missing.
#[derive(Debug, Clone)]
pub struct Genesis {
    text: String,
    document: Document,
    network: NetworkId,
    founders: BTreeMap<MemberId, (pb::MemberEntry, u64)>,
    validators: ValidatorSet,
    signatures: BTreeMap<MemberId, Vec<u8>>,
}

impl Genesis {
    /// Reads a genesis text and checks everything but that all have signed.
    ///
    /// # Errors
    /// See [`GenesisError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, GenesisError> {
        if bytes.len() > MAX_GENESIS_BYTES {
            return Err(GenesisError::Text);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| GenesisError::Text)?;
        let (text, lines) = match text.split_once("\n\n") {
            Some((document, lines)) => (format!("{document}\n"), lines),
            None => (text.to_owned(), ""),
        };
        // Without it the text could be signed and written, and not read again.
        if !text.ends_with('\n') {
            return Err(GenesisError::Rule("the document must end in a line feed"));
        }
        let mut genesis = Self::from_document(text)?;
        for line in lines.split_inclusive('\n') {
            let line = line.strip_suffix('\n').ok_or(GenesisError::SignatureLine)?;
            let (member, signature) = parse_signature(line)?;
            if genesis.signatures.last_key_value().is_some_and(|(last, _)| *last >= member) {
                return Err(GenesisError::SignatureLine);
            }
            genesis.add_signature(member, signature)?;
        }
        Ok(genesis)
    }

    fn from_document(text: String) -> Result<Self, GenesisError> {
        document::check_shape(&serde_json::from_str(&text)?)?;
        let document: Document = serde_json::from_str(&text)?;
        if document.format != FORMAT {
            return Err(GenesisError::Rule("format must be heatmark-genesis-v1"));
        }
        if document.name.is_empty() || document.name.chars().count() > 64 {
            return Err(GenesisError::Rule("a name has 1 to 64 characters"));
        }
        if document.founders.len() > MAX_FOUNDERS {
            return Err(GenesisError::Rule("too many founders"));
        }
        check_parameters(&document.parameters.to_proto())
            .map_err(|_| GenesisError::Rule("a parameter is out of its range"))?;
        if !document.founders.is_sorted_by(|a, b| a.keys.root < b.keys.root) {
            return Err(GenesisError::Rule("founders must ascend by root key"));
        }
        let network = NetworkId(tag::hash("network", &[text.as_bytes()]));
        let (mut founders, mut validators) = (BTreeMap::new(), Vec::new());
        let mut keys = BTreeSet::new();
        for founder in &document.founders {
            let (entry, validator) = founder.entry()?;
            if !entry.keys.iter().all(|key| keys.insert(key.key.clone())) {
                return Err(GenesisError::Rule("a key stands twice"));
            }
            validators.extend(validator);
            let member = member_id_of(&network, &entry)
                .ok_or(GenesisError::Rule("a founder has no root key"))?;
            founders.insert(member, (entry, founder.power));
        }
        let validators = ValidatorSet::new(validators)?;
        let signatures = BTreeMap::new();
        Ok(Self { text, document, network, founders, validators, signatures })
    }

    /// Signs as the founder that holds this root key.
    ///
    /// # Errors
    /// [`GenesisError::Rule`] when no founder has it.
    pub fn sign(&mut self, root: &SigningKey) -> Result<MemberId, GenesisError> {
        let id = keys::member_id(&self.network, &PublicKey::of(root).id());
        if !self.founders.contains_key(&id) {
            return Err(GenesisError::Rule("no founder has this root key"));
        }
        let signature = keys::sign(root, &genesis_preimage(&self.network, &id));
        self.signatures.insert(id, signature);
        Ok(id)
    }

    /// Takes over the signatures of another copy of the same document.
    ///
    /// # Errors
    /// [`GenesisError::Rule`] when the documents differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), GenesisError> {
        if other.network != self.network {
            return Err(GenesisError::Rule("the two texts hold different documents"));
        }
        self.signatures.extend(other.signatures.clone());
        Ok(())
    }

    fn add_signature(&mut self, member: MemberId, signature: Vec<u8>) -> Result<(), GenesisError> {
        let (entry, _) = self.founders.get(&member).ok_or(GenesisError::NotAFounder(member))?;
        let root = entry.keys.first().map(|key| PublicKey::from_bytes(&key.key));
        let verified: Result<(), KeyError> = match root {
            Some(Ok(root)) => root.verify(&genesis_preimage(&self.network, &member), &signature),
            _ => Err(KeyError::UnacceptableKey),
        };
        verified.map_err(|_| GenesisError::BadSignature(member))?;
        self.signatures.insert(member, signature);
        Ok(())
    }

    /// Founders that have not signed yet.
    pub fn unsigned(&self) -> impl Iterator<Item = (&MemberId, &str)> {
        self.founders
            .iter()
            .filter(|(id, _)| !self.signatures.contains_key(*id))
            .map(|(id, (entry, _))| (id, entry.legal_name.as_str()))
    }

    /// Insists that every founder has signed.
    ///
    /// # Errors
    /// [`GenesisError::Unsigned`] with the first one missing.
    pub fn require_signed(&self) -> Result<(), GenesisError> {
        match self.unsigned().next() {
            None => Ok(()),
            Some((_, name)) => Err(GenesisError::Unsigned(name.to_owned())),
        }
    }

    /// The whole text with its signature lines.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = self.text.clone();
        text.push('\n');
        for (member, signature) in &self.signatures {
            text.push_str(&format!("{DASH}{member} {}\n", STANDARD.encode(signature)));
        }
        text
    }

    /// The fingerprint that founders compare, and the network's id.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Members at height 0 with their entries.
    pub fn founders(&self) -> impl Iterator<Item = (&MemberId, &pb::MemberEntry)> {
        self.founders.iter().map(|(id, (entry, _))| (id, entry))
    }

    /// The validator set of height 1.
    #[must_use]
    pub fn validators(&self) -> &ValidatorSet {
        &self.validators
    }

    /// The state at height 0.
    ///
    /// # Errors
    /// Never for a parsed genesis; the type is that of execution.
    pub fn state(&self) -> Result<Changes, ExecutionError> {
        let empty = Nothing;
        let mut overlay = Overlay::new(&empty);
        let env = Environment {
            network: self.network,
            height: Height(0),
            time: UnixMillis(self.document.time_ms),
            parent_time: UnixMillis(self.document.time_ms),
        };
        for (entry, _) in self.founders.values() {
            enter(&mut overlay, &env.network, entry, (Height(0), Height(1)))?;
        }
        overlay.put(state::parameters_key(), &self.document.parameters.to_proto());
        let versions = pb::VersionsState { current: 1, scheduled: Vec::new() };
        overlay.put(state::versions_key(), &versions);
        put_validators(&mut overlay, &self.validators);
        Ok(overlay.into_changes())
    }
}

fn genesis_preimage(network: &NetworkId, member: &MemberId) -> Vec<u8> {
    tag::preimage("sign/genesis", &[network.as_bytes(), member.as_bytes()])
}

fn parse_signature(line: &str) -> Result<(MemberId, Vec<u8>), GenesisError> {
    let parts = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' '));
    let (member, signature) = parts.ok_or(GenesisError::SignatureLine)?;
    let id = member.parse().map_err(|_| GenesisError::SignatureLine)?;
    let signature = STANDARD.decode(signature).map_err(|_| GenesisError::SignatureLine)?;
    Ok((id, signature))
}

/// The view before genesis.
struct Nothing;

impl StateView for Nothing {
    fn value(&self, _key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }

    fn contains_transaction(&self, _id: &crate::ids::TransactionId) -> Result<bool, StateError> {
        Ok(false)
    }
}
