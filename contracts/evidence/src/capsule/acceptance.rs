//! What a receiver demands of a lot before it accepts it. Everything that depends on who asks, and when, is here.

use heatmark_ledger::ids::{MemberId, UnixMillis};
use heatmark_merkle::Hash;
use heatmark_records::{Path, Specification};

use crate::Policy;

/// What a receiver demands.
#[derive(Debug, Clone)]
pub struct Acceptance {
    /// The verifier's clock.
    pub now: UnixMillis,
    /// How old the capsule's header may be.
    pub max_age_ms: u64,
    /// What has to be shown or proved of each certificate.
    pub policy: Option<Policy>,
    /// What each certificate has to say.
    pub claims: Vec<Claim>,
    /// Limits that each certificate has to keep.
    pub limits: Vec<Limits>,
    /// Whose conformance proofs count; none named: anybody's, since they are true whoever made them.
    pub disclosers: Vec<MemberId>,
    /// How deep the lot has to be traced.
    pub depth: Depth,
    /// Members whose concerns count, beside the issuers' own alerts.
    pub concerns: Vec<MemberId>,
    /// Of each certificate, one of these has to attest it in a record of its own; none: nobody has to.
    pub attested_by: Vec<MemberId>,
    /// Least share of certified material, in thousandths.
    pub certified_permille: u32,
    /// Most that weighings may have raised the lot by, in thousandths.
    pub gain_permille: u32,
    /// Whether it will do that alerts on what was done, and on what came of it, are not told.
    pub untold: bool,
    /// Whether something may expire later than what it was made of.
    pub extended: bool,
    /// Whether certificates that copy another company's paper will do.
    pub transcribed: bool,
    /// What was received; none where that is not asked.
    pub mine: Option<Mine>,
}

/// A specification that each certificate has to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The specification.
    pub specification: Specification,
    /// Whether the values have to be shown; else proofs will do as well.
    pub shown: bool,
}

/// How deep a lot has to be traced. Each says all that the one before says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Depth {
    /// To the certificates of its material, through every event.
    #[default]
    Lot,
    /// Every event that makes something names the record of how.
    Batch,
    /// Its pieces carry serials.
    Item,
}

/// A field of a certificate, and the texts that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The field.
    pub path: Path,
    /// One of these.
    pub one_of: Vec<String>,
}

/// What was received and ordered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mine {
    /// The hashes of seals that the receiver made: offered and not used yet, or of lots that stand. A seal that was broken
    /// since is none of them, or a lot that was received and used long ago would be taken again.
    pub seals: Vec<Hash>,
    /// Least and most mass in milligrams.
    pub mass_mg: Option<(u64, u64)>,
    /// How many pieces.
    pub pieces: Option<u64>,
    /// The label of a piece: its proof as bytes.
    pub label: Option<Vec<u8>>,
}

impl Acceptance {
    /// Demands nothing but sound evidence of certified material, not older than a day.
    #[must_use]
    pub const fn at(now: UnixMillis) -> Self {
        Self {
            now,
            max_age_ms: 86_400_000,
            policy: None,
            claims: Vec::new(),
            limits: Vec::new(),
            disclosers: Vec::new(),
            depth: Depth::Lot,
            concerns: Vec::new(),
            attested_by: Vec::new(),
            certified_permille: 1_000,
            gain_permille: 5,
            untold: false,
            extended: false,
            transcribed: false,
            mine: None,
        }
    }
}
