//! The files that owner, agents, buyer, arbiter and regulators send each other. Each is signed by a key of the member that makes
//! it, good for one member, bounded, and in one encoding, as the files of a transfer are; whose key has signed, the registry
//! says, which is not here. Specification: `proto/README.md` section 18.
//!
//! ```text
//!   owner ──DepositAsk──▶ agent ──DepositKey──▶ owner ──DepositParcel──▶ agent ──DepositReceipt──▶ owner     PieceAsk, Pieces
//!   buyer ──OfferAsk──▶ agent ──Offers──▶ buyer ──QuoteAsk──▶ agents, arbiter, owner ──Quote──▶ buyer ──TermsFile──▶ all of them
//! ```

mod content;
mod deals;
mod deposit;
mod offers;

pub use content::{
    DestroyAsk, Destroyed, DrillAnswer, DrillAsk, DrillPiece, DrillPlace, MAX_DRILL_PIECES,
    PieceAsk, Pieces, drill_digest,
};
pub use deals::{
    CarryAsk, ClaimFile, DealRefused, Order, Ruling, TermsContent, TermsFile, reason_digest,
};
pub use deposit::{DepositAsk, DepositEvidence, DepositKey, DepositParcel, DepositReceipt};
pub use offers::{OfferAsk, Offers, PartyRole, Quote, QuoteAsk};

use crate::wire::is_hash;

/// Longest file without ciphertext, evidence or a manifest, in bytes.
const MAX_SHORT_BYTES: usize = 8 << 10;
/// Longest file with a manifest and the evidence for it.
const MAX_EVIDENCE_BYTES: usize = 8 << 20;
/// Bytes of a nonce that ties an answer to what was asked.
const NONCE_BYTES: usize = 16;

/// Implements [`heatmark_evidence::transfer::SignedFile`] for a message with `version`, `network`, `from`, `to`, `signer` and
/// `signature`.
macro_rules! signed_file {
    ($file:ty, $tag:literal, $longest:expr, $shape:expr, $well:expr) => {
        impl heatmark_evidence::transfer::SignedFile for $file {
            const SIGNED_AS: &'static str = $tag;
            const LONGEST: usize = $longest;

            fn shape() -> heatmark_ledger::wire::shape::Shape {
                const { $shape }
            }

            fn frame(&mut self) -> (&mut u32, &mut Vec<u8>, &mut Vec<u8>, &mut Vec<u8>) {
                (&mut self.version, &mut self.network, &mut self.signer, &mut self.signature)
            }

            fn is_well_formed(&self) -> bool {
                let check: fn(&Self) -> bool = $well;
                $crate::wire::is_hash(&self.to) && check(self)
            }

            fn maker(&self) -> &[u8] {
                &self.from
            }
        }
    };
}
use signed_file;

fn is_nonce(bytes: &[u8]) -> bool {
    bytes.len() == NONCE_BYTES
}

pub(crate) fn are_section_names(names: &[String]) -> bool {
    (1..=crate::manifest::MAX_SECTIONS).contains(&names.len())
        && names.iter().all(|name| crate::wire::is_name(name))
        && crate::wire::ascend(names)
}

fn are_hashes(entries: &[&Vec<u8>]) -> bool {
    entries.iter().all(|entry| is_hash(entry))
}
