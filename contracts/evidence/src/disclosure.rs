//! A disclosure: made by whoever holds the opening, read by whoever receives it. Refuses purposes that nobody could
//! read, fields out of order, and encodings that are not canonical. Specification: `proto/README.md` section 9.

use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::{KeyId, MemberId, NetworkId, UnixMillis};
use heatmark_ledger::keys::{PublicKey, sign};
use heatmark_ledger::messages as pb;
use heatmark_ledger::wire::{MAX_RECEIPT_BYTES, decode as wire_of};
use heatmark_merkle::{Hash, tag};
use heatmark_records::conformance::{ProveError, Prover};
use heatmark_records::{
    FieldProof, Head, Opening, Path, RecordError, RecordId, RecordTree, Specification,
};
use prost::Message as _;
use rand_core::CryptoRng;
use std::collections::BTreeMap;

use crate::capsule::CapsuleRecord;
use crate::grounds::preimage;
use crate::{DisclosureError, wire};

/// Version of disclosures.
pub(crate) const VERSION: u32 = 1;
/// What its signature's preimage is tagged with.
pub(crate) const SIGNED_AS: &str = "sign/disclosure";
/// Longest disclosure in bytes: a record of 1,000 fields, shown whole, fits.
pub const MAX_DISCLOSURE_BYTES: usize = 24 << 20;
/// Longest purpose in bytes.
pub const MAX_PURPOSE_BYTES: usize = 512;

/// A disclosure as it is read; [`crate::verify`] says what it proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    pub(crate) head: Head,
    pub(crate) record: RecordId,
    pub(crate) receiver: MemberId,
    pub(crate) purpose: String,
    pub(crate) made: UnixMillis,
    pub(crate) fields: Vec<FieldProof>,
    pub(crate) specification: Option<String>,
    pub(crate) proofs: Vec<Vec<u8>>,
    pub(crate) chain: Proofs,
    pub(crate) signature: Vec<u8>,
    /// What the signature covers beside network and key.
    pub(crate) signed: Vec<u8>,
}

/// What ties a record to the log and to its issuer, each as the bytes of its message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proofs {
    /// The record's place in its anchor's batch.
    pub batch: Vec<u8>,
    /// Receipt of the anchor.
    pub receipt: Vec<u8>,
    /// State of the key that signed the anchor.
    pub issuer_key: Vec<u8>,
    /// State of the issuer, which has its name.
    pub issuer: Vec<u8>,
    /// State of the discloser's key; empty when it is the one that signed the anchor.
    pub discloser_key: Vec<u8>,
}

/// A disclosure in the making.
#[derive(Debug)]
pub struct Draft<'a> {
    tree: &'a RecordTree<'a>,
    opening: &'a Opening,
    receiver: MemberId,
    purpose: String,
    fields: BTreeMap<Path, FieldProof>,
    specification: Option<Specification>,
    proofs: Vec<Vec<u8>>,
}

impl<'a> Draft<'a> {
    /// Begins a disclosure of a record to a member.
    ///
    /// # Errors
    /// [`DisclosureError::NotCanonical`] when the purpose is empty, too long or not printable.
    pub fn new(
        opening: &'a Opening,
        tree: &'a RecordTree<'a>,
        receiver: MemberId,
        purpose: &str,
    ) -> Result<Self, DisclosureError> {
        check_purpose(purpose)?;
        let (fields, proofs) = (BTreeMap::new(), Vec::new());
        let purpose = purpose.to_owned();
        Ok(Self { tree, opening, receiver, purpose, fields, specification: None, proofs })
    }

    /// Shows what the record says of a path.
    ///
    /// # Errors
    /// [`RecordError::SlotTaken`] when it says nothing of it and that cannot be shown.
    pub fn show(&mut self, path: &Path) -> Result<(), RecordError> {
        let proof = self.tree.show(path)?;
        self.fields.insert(path.clone(), proof);
        Ok(())
    }

    /// Proves that the record keeps a specification's limits, for the signer of this disclosure only. Fields shown
    /// already stay shown; of the certificate's own limits, these are shown as well.
    ///
    /// # Errors
    /// [`ProveError`]; nothing was added then.
    pub fn prove(
        &mut self,
        specification: Specification,
        signer: &KeyId,
        rng: &mut impl CryptoRng,
    ) -> Result<(), ProveError> {
        let prover = Prover::new(self.opening, self.tree, &specification)?;
        let context = self.context(signer);
        let proofs = prover.prove(&context, &specification, rng)?;
        let mut fields = BTreeMap::new();
        for path in specification.paths() {
            match self.tree.show_committed(&path) {
                Ok(proof) => drop(fields.insert(path, proof)),
                // An optional field whose absence cannot be shown is left out.
                Err(RecordError::SlotTaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if specification.own_limits {
            for path in own_limit_paths(&specification) {
                fields.insert(path.clone(), self.tree.show(&path)?);
            }
        }
        for (path, proof) in fields {
            self.fields.entry(path).or_insert(proof);
        }
        self.specification = Some(specification);
        self.proofs = proofs;
        Ok(())
    }

    /// Tells of a path what can be told without its numbers, unless it is shown already; nothing where it cannot be shown that
    /// the record says nothing of it.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub fn commit_to(&mut self, path: &Path) -> Result<(), RecordError> {
        if self.fields.contains_key(path) {
            return Ok(());
        }
        match self.tree.show_committed(path) {
            Ok(proof) => drop(self.fields.insert(path.clone(), proof)),
            Err(RecordError::SlotTaken) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The same as a part of a capsule, from the record's anchor: without signature, since the log and the capsule say whose it is.
    #[must_use]
    pub fn for_capsule(self, signer: &KeyId, anchor: CapsuleRecord) -> CapsuleRecord {
        let proved = self.specification.is_some();
        let some = |bytes: Vec<u8>| if proved { bytes } else { Vec::new() };
        CapsuleRecord {
            record: self.tree.id().0.to_vec(),
            head: self.opening.head().encode(),
            fields: self.fields.values().map(FieldProof::encode).collect(),
            receiver: some(self.receiver.to_vec()),
            discloser: some(signer.to_vec()),
            purpose: if proved { self.purpose } else { String::new() },
            specification: self.specification.map(|s| s.text().to_owned()).unwrap_or_default(),
            proofs: self.proofs,
            ..anchor
        }
    }

    /// Whether nothing is shown or proved yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Signs the disclosure and gives the file's bytes.
    #[must_use]
    pub fn sign(self, made: UnixMillis, chain: Proofs, key: &SigningKey) -> Vec<u8> {
        let head = self.opening.head();
        let mut message = wire::Disclosure {
            version: VERSION,
            head: head.encode(),
            record: self.tree.id().0.to_vec(),
            receiver: self.receiver.to_vec(),
            purpose: self.purpose,
            made_ms: made.0,
            fields: self.fields.values().map(FieldProof::encode).collect(),
            specification: self.specification.map(|s| s.text().to_owned()).unwrap_or_default(),
            proofs: self.proofs,
            batch: chain.batch,
            receipt: chain.receipt,
            issuer_key: chain.issuer_key,
            issuer: chain.issuer,
            discloser_key: chain.discloser_key,
            signature: Vec::new(),
        };
        let network = NetworkId::from(head.heading().network);
        let signer = PublicKey::of(key).id();
        message.signature =
            sign(key, &preimage(SIGNED_AS, network.as_bytes(), &signer, &message.encode_to_vec()));
        message.encode_to_vec()
    }

    fn context(&self, signer: &KeyId) -> Vec<u8> {
        let network = NetworkId::from(self.opening.head().heading().network);
        context(&network, &self.tree.id(), (&self.receiver, &self.purpose), signer)
    }
}

impl Disclosure {
    /// Reads a disclosure.
    ///
    /// # Errors
    /// [`DisclosureError`] for what is wrong with its form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DisclosureError> {
        let mut message = wire::decode(bytes)?;
        if message.version != VERSION {
            return Err(DisclosureError::NotCanonical);
        }
        check_purpose(&message.purpose)?;
        let head = Head::decode(&message.head).map_err(DisclosureError::Head)?;
        let hash = |bytes: &[u8]| Hash::try_from(bytes).map_err(|_| DisclosureError::NotCanonical);
        let mut fields: Vec<FieldProof> = Vec::with_capacity(message.fields.len());
        for (number, field) in message.fields.iter().enumerate() {
            let unreadable =
                |fault| DisclosureError::Field { path: format!("number {number}"), fault };
            let field = FieldProof::decode(field).map_err(unreadable)?;
            match fields.last().map(|last| last.path.cmp(&field.path)) {
                Some(std::cmp::Ordering::Equal) => return Err(DisclosureError::PathTwice),
                Some(std::cmp::Ordering::Greater) => return Err(DisclosureError::FieldOrder),
                _ => fields.push(field),
            }
        }
        let (record, receiver) = (hash(&message.record)?, MemberId(hash(&message.receiver)?));
        let signature = std::mem::take(&mut message.signature);
        let signed = message.encode_to_vec();
        let specification = Some(message.specification).filter(|text| !text.is_empty());
        if specification.is_none() && !message.proofs.is_empty() {
            return Err(DisclosureError::NotCanonical);
        }
        Ok(Self {
            head,
            record,
            receiver,
            purpose: message.purpose,
            made: UnixMillis(message.made_ms),
            fields,
            specification,
            proofs: message.proofs,
            chain: Proofs {
                batch: message.batch,
                receipt: message.receipt,
                issuer_key: message.issuer_key,
                issuer: message.issuer,
                discloser_key: message.discloser_key,
            },
            signature,
            signed,
        })
    }

    /// What it discloses as a part of a capsule. The record's own limits stay behind: they cannot be passed on.
    #[must_use]
    pub fn for_capsule(&self, signer: &KeyId) -> Option<CapsuleRecord> {
        let receipt: pb::Receipt = wire_of(&self.chain.receipt, MAX_RECEIPT_BYTES).ok()?;
        let text = self.specification.as_ref();
        let passes = |text: &&String| Specification::parse(text).is_ok_and(|s| !s.own_limits);
        let specification = text.filter(passes).cloned().unwrap_or_default();
        let mut record = CapsuleRecord {
            record: self.record.0.to_vec(),
            head: self.head.encode(),
            batch: self.chain.batch.clone(),
            transaction: receipt.transaction,
            leaf: receipt.leaf_index,
            fields: self.fields.iter().map(FieldProof::encode).collect(),
            ..CapsuleRecord::default()
        };
        if !specification.is_empty() {
            record.specification = specification;
            record.proofs.clone_from(&self.proofs);
            record.receiver = self.receiver.to_vec();
            record.purpose.clone_from(&self.purpose);
            record.discloser = signer.to_vec();
        }
        Some(record)
    }

    pub(crate) fn context(&self, signer: &KeyId) -> Vec<u8> {
        let network = NetworkId::from(self.head.heading().network);
        context(&network, &self.record, (&self.receiver, &self.purpose), signer)
    }
}

/// The paths at which the record holds the limits that a specification takes from it.
pub(crate) fn own_limit_paths(specification: &Specification) -> Vec<Path> {
    let mut paths = Vec::new();
    for limit in &specification.limits {
        for (there, name) in
            [(limit.minimum.is_some(), "minimum"), (limit.maximum.is_some(), "maximum")]
        {
            let path = limit.of.paths().next().map(|path| format!("{path}/{name}"));
            paths.extend(path.filter(|_| there).and_then(|path| Path::new(&path).ok()));
        }
    }
    paths
}

/// What a conformance proof is for.
pub(crate) fn context(
    network: &NetworkId,
    record: &RecordId,
    (receiver, purpose): (&MemberId, &str),
    signer: &KeyId,
) -> Vec<u8> {
    tag::preimage(
        "conformance",
        &[
            network.as_bytes(),
            &record.0,
            receiver.as_bytes(),
            purpose.as_bytes(),
            signer.as_bytes(),
        ],
    )
}

/// Whether people can read a purpose.
///
/// # Errors
/// [`DisclosureError::NotCanonical`] when it is empty, too long or not printable.
pub fn check_purpose(purpose: &str) -> Result<(), DisclosureError> {
    let readable = !purpose.chars().any(char::is_control) && !purpose.trim().is_empty();
    if readable && purpose.len() <= MAX_PURPOSE_BYTES {
        Ok(())
    } else {
        Err(DisclosureError::NotCanonical)
    }
}
