//! What a section's content is: its record's fields with their proofs, then its documents one after the other. Reading goes
//! as the content is decrypted, and says at the first byte that can tell that it is not what the anchored record and the
//! manifest promise. Specification: `proto/README.md` section 18.
//!
//! ```text
//!   u32be length ‖ SectionHead ‖ document 1 ‖ document 2 ‖ …
//! ```

use heatmark_ledger::wire::shape::{Shape, part};
use heatmark_merkle::{Hash, tag};
use heatmark_records::{FieldProof, Head, Said, Value};
use prost::Message;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::wire::{self, SHORT, is_hash};
use crate::{Manifest, SectionEntry};

/// Version of contents.
pub const SECTION_VERSION: u32 = 1;
/// Longest head of a content in bytes.
pub const MAX_HEAD_BYTES: usize = 8 << 20;
const LENGTH_BYTES: usize = 4;
/// A field's proof has at least twelve siblings.
const FIELD: usize = 384;
const SHAPE: Shape = &[part(3, FIELD, &[]), part(4, SHORT, &[])];

/// The fields of a section and what its documents are.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SectionHead {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The record's head.
    #[prost(bytes = "vec", tag = "2")]
    pub head: Vec<u8>,
    /// Proofs of the fields, all of them shown, in the manifest's order.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub fields: Vec<Vec<u8>>,
    /// The documents, in the manifest's order.
    #[prost(message, repeated, tag = "4")]
    pub documents: Vec<SectionDocument>,
}

/// A document of a section.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SectionDocument {
    /// 32 random bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub salt: Vec<u8>,
    /// SHA-256 of it, as a field of the section has it.
    #[prost(bytes = "vec", tag = "2")]
    pub digest: Vec<u8>,
}

/// How a content breaks its promise. The fault of the owner, who encrypted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SectionFault {
    /// A piece of the ciphertext does not decrypt.
    #[error("piece {0} of the ciphertext does not decrypt")]
    Piece(u32),
    /// It does not begin with a head in its one encoding.
    #[error("it does not begin with a head in its one encoding")]
    Head,
    /// Its fields are not those that the manifest lists.
    #[error("its fields are not those that the manifest lists")]
    Fields,
    /// A field is not the anchored record's, or is not shown.
    #[error("a field is not one that the anchored record shows")]
    Field,
    /// A document is not the one that the manifest lists, or that a field of the section names.
    #[error("document {0} is not the one that record and manifest name")]
    Document(usize),
    /// It is longer or shorter than its documents.
    #[error("it is longer or shorter than its documents")]
    Length,
}

impl SectionFault {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Piece(_) => "piece",
            Self::Head => "head",
            Self::Fields => "fields",
            Self::Field => "field",
            Self::Document(_) => "document",
            Self::Length => "length",
        }
    }
}

/// `H("deposit-document", salt, SHA-256 of the document)`, as the manifest lists it.
#[must_use]
pub fn document_digest(salt: &[u8; 32], digest: &[u8; 32]) -> Hash {
    tag::hash("deposit-document", &[salt, digest])
}

impl SectionHead {
    /// What a content begins with; the documents follow.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let length = u32::try_from(self.encoded_len()).unwrap_or(u32::MAX);
        let mut bytes = Zeroizing::new(length.to_be_bytes().to_vec());
        bytes.reserve_exact(self.encoded_len());
        bytes.extend_from_slice(&Zeroizing::new(self.encode_to_vec()));
        bytes
    }

    /// Holds a head against the manifest and the record.
    ///
    /// # Errors
    /// [`SectionFault`].
    pub fn check(&self, manifest: &Manifest, entry: &SectionEntry) -> Result<(), SectionFault> {
        let lengths = self.documents.iter();
        let lengths = lengths.map(|document| [&document.salt, &document.digest]);
        if self.version != SECTION_VERSION || !lengths.flatten().all(|part| is_hash(part)) {
            return Err(SectionFault::Head);
        }
        let record = manifest.record().ok_or(SectionFault::Field)?;
        let head = Head::decode(&self.head).map_err(|_| SectionFault::Head)?;
        if self.fields.len() != entry.fields.len() {
            return Err(SectionFault::Fields);
        }
        let mut named = Vec::new();
        for (field, path) in self.fields.iter().zip(&entry.fields) {
            let field = FieldProof::decode(field).map_err(|_| SectionFault::Field)?;
            if field.path.as_str() != path {
                return Err(SectionFault::Fields);
            }
            field.verify(&head, &record).map_err(|_| SectionFault::Field)?;
            match field.said {
                Said::Shown { value: Value::Document(document), .. } => named.push(document),
                Said::Shown { .. } => {}
                Said::Committed(_) | Said::Absent => return Err(SectionFault::Field),
            }
        }
        if self.documents.len() != entry.documents.len() {
            return Err(SectionFault::Fields);
        }
        for (place, (told, listed)) in self.documents.iter().zip(&entry.documents).enumerate() {
            let anchored = named.iter().any(|document| {
                document.sha256.as_slice() == told.digest && document.length_bytes == listed.bytes
            });
            if !anchored || told.salted().is_none_or(|digest| digest.0 != *listed.digest) {
                return Err(SectionFault::Document(place));
            }
        }
        Ok(())
    }
}

impl SectionDocument {
    fn salted(&self) -> Option<Hash> {
        let salt = self.salt.as_slice().try_into().ok()?;
        Some(document_digest(salt, self.digest.as_slice().try_into().ok()?))
    }
}

/// What reading a content gives.
#[derive(Clone, PartialEq, Eq)]
pub enum Portion {
    /// The head, held against manifest and record.
    Head(SectionHead),
    /// More of a document, by its place in the manifest. Not to be used for good before the reader has finished.
    Document {
        /// Its place, from 0.
        place: usize,
        /// The next bytes of it.
        bytes: Zeroizing<Vec<u8>>,
    },
}

impl std::fmt::Debug for Portion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Head(head) => write!(f, "Head({} fields)", head.fields.len()),
            Self::Document { place, bytes } => write!(f, "Document({place}, {})", bytes.len()),
        }
    }
}

/// Reads a section's content as it is decrypted, in whatever portions; holds the head and nothing of the documents.
pub struct SectionReader<'m> {
    manifest: &'m Manifest,
    entry: &'m SectionEntry,
    waiting: Zeroizing<Vec<u8>>,
    head: Option<SectionHead>,
    place: usize,
    left: u64,
    hasher: Sha256,
}

impl<'m> SectionReader<'m> {
    /// Begins with a section of a manifest; none when there is no such section.
    #[must_use]
    pub fn new(manifest: &'m Manifest, section: &str) -> Option<Self> {
        Some(Self {
            manifest,
            entry: manifest.section(section)?,
            waiting: Zeroizing::new(Vec::new()),
            head: None,
            place: 0,
            left: 0,
            hasher: Sha256::new(),
        })
    }

    /// Takes more of the content.
    ///
    /// # Errors
    /// [`SectionFault`]; the reader is then of no more use.
    pub fn push(&mut self, mut content: &[u8]) -> Result<Vec<Portion>, SectionFault> {
        let mut portions = Vec::new();
        if self.head.is_none() {
            let Some((head, rest)) = self.take_head(content)? else { return Ok(portions) };
            content = rest;
            portions.push(Portion::Head(head.clone()));
            self.head = Some(head);
            self.left = self.length_of(0);
            self.close_finished()?;
        }
        while !content.is_empty() {
            if self.place >= self.entry.documents.len() {
                return Err(SectionFault::Length);
            }
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(content.len());
            let (now, rest) = content.split_at(most);
            self.hasher.update(now);
            self.left = self.left.saturating_sub(u64::try_from(most).unwrap_or(u64::MAX));
            let bytes = Zeroizing::new(now.to_vec());
            portions.push(Portion::Document { place: self.place, bytes });
            self.close_finished()?;
            content = rest;
        }
        Ok(portions)
    }

    /// Whether everything has come and was what it has to be.
    ///
    /// # Errors
    /// [`SectionFault::Length`] when something is missing, [`SectionFault::Head`] when not even the head has come.
    pub fn finish(self) -> Result<SectionHead, SectionFault> {
        let head = self.head.ok_or(SectionFault::Head)?;
        if self.place == self.entry.documents.len() { Ok(head) } else { Err(SectionFault::Length) }
    }

    /// The head, once it is all there, and what follows it.
    fn take_head<'c>(
        &mut self,
        content: &'c [u8],
    ) -> Result<Option<(SectionHead, &'c [u8])>, SectionFault> {
        let rest = self.fill(LENGTH_BYTES, content);
        let Some(length) = self.waiting.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_HEAD_BYTES {
            return Err(SectionFault::Head);
        }
        let whole = length.saturating_add(LENGTH_BYTES);
        let rest = self.fill(whole, rest);
        if self.waiting.len() < whole {
            return Ok(None);
        }
        let head = self.waiting.get(LENGTH_BYTES..).unwrap_or_default();
        let head: SectionHead =
            wire::decode(head, MAX_HEAD_BYTES, SHAPE).map_err(|_| SectionFault::Head)?;
        head.check(self.manifest, self.entry)?;
        Ok(Some((head, rest)))
    }

    /// Keeps as much as is missing to so many bytes, and gives back the rest.
    fn fill<'c>(&mut self, whole: usize, content: &'c [u8]) -> &'c [u8] {
        let missing = whole.saturating_sub(self.waiting.len()).min(content.len());
        let (now, rest) = content.split_at(missing);
        self.waiting.extend_from_slice(now);
        rest
    }

    fn length_of(&self, place: usize) -> u64 {
        self.entry.documents.get(place).map_or(0, |document| document.bytes)
    }

    /// Compares each document that has come to its end, also those without bytes, and goes on to the next.
    fn close_finished(&mut self) -> Result<(), SectionFault> {
        while self.left == 0 && self.place < self.entry.documents.len() {
            let hashed = std::mem::take(&mut self.hasher).finalize();
            let told = self.head.as_ref().and_then(|head| head.documents.get(self.place));
            if told.is_none_or(|told| told.digest != hashed.as_slice()) {
                return Err(SectionFault::Document(self.place));
            }
            self.place = self.place.saturating_add(1);
            self.left = self.length_of(self.place);
        }
        Ok(())
    }
}

impl std::fmt::Debug for SectionReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SectionReader({}, document {})", self.entry.name, self.place)
    }
}

#[cfg(test)]
mod tests;
