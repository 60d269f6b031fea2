//! Which lots are made of which, in memory: all events that a company made or was shown, walked up to where material
//! comes from and down to where it went. Refuses an event twice, and more than 32 bits can number.
//!
//! ```text
//!   events (leaf, inputs, outputs, carrier) ──▶ Genealogy ──Walker──▶ lots reached, each once
//!   records (certificate, process, description) ──▶ About ──────────▶ where a walk begins
//!   own lots (there, used, sent to whom)        ──▶ Holdings ───────▶ what of them is here, and who has the rest
//! ```
//!
//! Pure: no clock, no disk. Whoever keeps it feeds it from the vault, and again what comes later.

mod about;
mod affected;
mod genealogy;
mod holdings;
mod places;
#[cfg(test)]
mod tests;
mod users;
mod walk;

pub use about::{About, Bearing, RecordKind, Told};
pub use affected::{Affected, Customer, affected};
pub use genealogy::{Genealogy, GenealogyError, LotId, MadeOf, MemberIndex, NewEvent, Place};
pub use holdings::{Holding, Holdings, Where};
pub use walk::{Direction, Walker};
