//! Lots: material that is owned, with its quantities committed to, under a seal that is broken once. What happens to it is an
//! event, whose body says what went in and came out, and whose proofs say that nothing was added: all without a number.
//!
//! ```text
//!   OpenLot ──lot()──▶ Lot ──hash──▶ an output of a LotEvent on the log
//!   (mass, pieces,     (commitments)                ▲ digest
//!    blindings)                                     │
//!      └──── Making ──prove──▶ Proofs          Event (body)
//!                                └─────── Facts ──claim──▶ Claim ──verify_all──▶ yes or why not
//! ```
//!
//! Validators check none of this: they see no inputs. Whoever receives a lot does, with the inputs that its capsule shows.
//! Seals, and where inputs stand on the log, are that verifier's to compare. Specification: `proto/README.md` section 11.
//!
//! Everything here is a function of its arguments: no clock, no file, no randomness of its own.

mod assembly;
mod certificate;
mod class;
mod error;
mod event;
mod kind;
mod lot;
mod make;
mod proofs;
mod rules;
mod seal;
mod serials;
mod sums;
mod wire;

#[cfg(test)]
mod tests;

pub use certificate::{CertifiedMass, MASS_PATH, THEORETICAL_MASS_PATH, mass_committed_to};
pub use class::{assembly_class, blend_class, certified_class, uncertified_class};
pub use error::{LotError, MakeError};
pub use event::{
    Amounts, Event, Gain, Input, MAX_EVENT_BYTES, MAX_INPUTS, MAX_OUTPUTS, MAX_REASON_BYTES,
    Uncertified, VERSION,
};
pub use kind::Kind;
pub use lot::{Amount, Content, Lot, LotFigures, MAX_LOT_BYTES, OpenAmount, OpenLot, Terms};
pub use make::{Making, Witness};
pub use proofs::{Claim, MAX_PROOFS_BYTES, Proofs, verify_all};
pub use rules::{Facts, Introduced};
pub use seal::{SealSeed, check_seal, seal_hash, seal_key_hash};
pub use serials::{
    BRANCH_SERIALS, MAX_RANGES, MAX_SERIAL_BYTES, MAX_SERIALS, Range, Ranges, SerialBranch,
    SerialProof, SerialSecret, SerialTree, Serials, serial_root,
};

/// Hash of a lot in committed form: what stands on the log.
pub type LotHash = heatmark_merkle::Hash;
