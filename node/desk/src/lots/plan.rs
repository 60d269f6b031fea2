//! What people want to happen to lots, in their own words: names, quantities, reasons.

use crate::WaiverPlan;
use heatmark_lots::Kind;
use heatmark_records::RecordId;

/// A lot that is to be.
#[derive(Debug, Clone, Default)]
pub struct LotPlan {
    /// Its name, of no other lot here but one that is used; empty for that of the lot that it continues.
    pub name: String,
    /// What it is; empty for what its input is.
    pub product: String,
    /// Milligrams; 0 where the kind of event keeps them.
    pub mass_mg: u64,
    /// Pieces; 0 where the kind of event keeps them.
    pub pieces: u64,
    /// From when on it must not be used, in milliseconds since 1970; 0 for never, or as its inputs.
    pub expires_ms: u64,
    /// Which of the serials that go in it takes; none for the next ones in their order.
    pub serials: Vec<String>,
}

/// Serials that begin in an event: as many as all its lots together have pieces, in the order of the lots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewSerials {
    /// Kept before, by the root of their tree.
    Kept([u8; 32]),
    /// Counted: `K-{0001}` gives K-0001, K-0002 and so on.
    Pattern(String),
}

/// Milligrams and pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantity {
    /// Milligrams.
    pub mass_mg: u64,
    /// Pieces, where the kind of event balances them.
    pub pieces: u64,
}

/// What is to happen.
#[derive(Debug, Clone)]
pub struct EventPlan {
    /// The kind; any but transfer.
    pub kind: Kind,
    /// The lots that are used, by name; of an installation the product first.
    pub inputs: Vec<String>,
    /// The lots that come to be. Where the kind keeps lots as they are, none for all under their own names.
    pub outputs: Vec<LotPlan>,
    /// What is lost.
    pub scrap: Quantity,
    /// What goes in without a certificate.
    pub uncertified: Option<Quantity>,
    /// By how many thousandths a new weighing may exceed the last one; 0 for what the
    /// capture plan says, or else [`WEIGHING_PERMILLE`].
    pub tolerance_permille: u32,
    /// The components that are removed from a product, by name.
    pub removed: Vec<String>,
    /// The certificate that a commission is of; none for material without one.
    pub certificate: Option<RecordId>,
    /// Why, where the kind asks for it, or a lot that is used has expired.
    pub reason: String,
    /// When it began and ended, in milliseconds since 1970; 0 where it is not told.
    pub time_ms: (u64, u64),
    /// Names of the lots that were scanned, of those that are used.
    pub scanned: Vec<String>,
    /// Which points of the capture plan are skipped, why, and until when.
    pub waiver: Option<WaiverPlan>,
    /// What was done: fields of the process record, by name.
    pub process: Vec<(String, String)>,
    /// Serials of what comes to be; none where it goes on with those of its inputs, or has none.
    pub serials: Option<NewSerials>,
    /// The serials of the pieces that are lost.
    pub lost_serials: Vec<String>,
}

/// By how many thousandths a weighing may exceed the last one where nobody says otherwise: what scales differ by.
pub const WEIGHING_PERMILLE: u32 = 5;

impl EventPlan {
    /// A plan without parts.
    #[must_use]
    pub fn new(kind: Kind, inputs: Vec<String>, outputs: Vec<LotPlan>) -> Self {
        Self {
            kind,
            inputs,
            outputs,
            scrap: Quantity::default(),
            uncertified: None,
            tolerance_permille: 0,
            removed: Vec::new(),
            certificate: None,
            reason: String::new(),
            time_ms: (0, 0),
            scanned: Vec::new(),
            waiver: None,
            process: Vec::new(),
            serials: None,
            lost_serials: Vec::new(),
        }
    }
}
