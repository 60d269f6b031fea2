//! What a company hands to another as evidence, and its verdict: a disclosure is one file that shows chosen fields of a
//! record, or proves that they keep a specification's limits, to one receiver and for one purpose, and that verifies
//! offline from a trust root.
//!
//! ```text
//!   record's tree ──Draft::show, Draft::prove──▶ Draft ──sign──▶ .disclosure ──verify(trust root)──▶ Verified
//!                                                  ▲                                               │
//!     receipt, batch path, key and member states ──┘                       Policy: shown or proved ┘
//! ```
//!
//! A laboratory's record attests fields of somebody else's; a [`Bundle`] puts together what several files tell of one
//! record, and an agreement proves that numbers of two records differ by no more than a tolerance, showing neither.
//!
//! A record is its issuer's only if the anchor that carries it is signed by a key that the registry holds for that
//! issuer; the states in the file prove it. Specification: `proto/README.md` section 9.

mod agreement;
mod bundle;
pub mod capsule;
mod disclosure;
mod error;
mod grounds;
mod policy;
mod selection;
pub mod transfer;
mod verify;
mod wire;

pub use agreement::{
    Agreed, AgreedRecord, Agreement, AgreementDraft, MAX_AGREEMENT_BYTES, Side, verify_agreement,
};
pub use bundle::{Attested, Bound, Bundle};
pub use disclosure::{
    Disclosure, Draft, MAX_DISCLOSURE_BYTES, MAX_PURPOSE_BYTES, Proofs, check_purpose,
};
pub use error::DisclosureError;
pub use grounds::{Anchored, Party, anchored_by};
pub use policy::{Demand, Policy, PolicyError, Shortfall, Unattested};
pub use selection::{Selection, SelectionError};
pub use verify::{Conformity, Verified, verify};
