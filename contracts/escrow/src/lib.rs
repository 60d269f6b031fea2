//! Escrow: what an owner deposits with agents, under which conditions it opens, and what the parties of a deal send each other.
//!
//! ```text
//!   policy.toml ──▶ Clause … ──digests──▶ Manifest ──digest──▶ the owner's anchor
//!                      │                     │
//!                      ▼                     ▼
//!   buyer ──▶ Terms (clause opened, parties' keys, orders) ──judge(manifest, terms, facts)──▶ Needs | TermsRefusal
//!               └──digest──▶ DealOpen on the log ──check_open
//!   agent ──release──▶ DealRelease on the log ──open_release──▶ shares ──▶ content ──SectionReader──▶ fields, documents
//!                                                   └──ShareFault──▶ Claim ──judge_share, PayloadJudge──▶ arbiter
//! ```
//!
//! Everything here is a function of its arguments: no clock, no file, no randomness of its own. That a deal runs as it has to
//! is the log's affair (`heatmark_ledger::deal`), how things are sealed and shared that of `heatmark_envelopes`.
//! Specification: `proto/README.md` section 18.

mod anchor;
mod claim;
mod clause;
mod date;
mod error;
mod facts;
pub mod files;
mod judge;
mod manifest;
mod money;
mod policy;
pub mod purpose;
mod refusal;
mod release;
mod section;
#[cfg(test)]
mod stage;
mod terms;
mod wire;

pub use anchor::{DepositError, Deposited};
pub use claim::{
    Claim, ClaimKey, ClaimRefusal, MAX_CLAIM_BYTES, PayloadClaim, PayloadJudge, Releases,
    ShareClaim, judge_share,
};
pub use clause::{
    Clause, MAX_CLAUSE_BYTES, MAX_LISTED, MAX_RETENTION_DAYS, Price, PriceKind, Who, WhoKind,
};
pub use error::EscrowError;
pub use facts::{Facts, Registry, StandingDeal};
pub use files::{Order, PartyRole, Quote};
pub use heatmark_envelopes::{SEALING_KEY_BYTES, SealingKey};
pub use judge::{Due, Needs, Payment, judge};
pub use manifest::{
    AgentEntry, DocumentEntry, MANIFEST_VERSION, MAX_AGENTS, MAX_CLAUSES, MAX_DOCUMENTS,
    MAX_MANIFEST_BYTES, MAX_REGULATORS, MAX_SECTION_FIELDS, MAX_SECTIONS, Manifest, RegulatorEntry,
    SectionEntry,
};
pub use money::{Base, MAX_PREMIUM, decimal_places, format_amount, parse_amount, premium};
pub use policy::{Policy, PolicyError, PolicyFault};
pub use refusal::TermsRefusal;
pub use release::{ShareFault, open_deposit, open_release, release, seal_deposit};
pub use section::{
    MAX_HEAD_BYTES, Portion, SECTION_VERSION, SectionDocument, SectionFault, SectionHead,
    SectionReader, document_digest,
};
pub use terms::{MAX_TERMS_BYTES, Terms, TermsAgent, TermsParty, check_open};
pub use wire::MAX_NAME_BYTES;
