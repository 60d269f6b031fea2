//! A typed client of a node that verifies what it gets, and the TLS that both ends share.
//!
//! ```text
//!   LedgerClient ── submit, receipt, header, state, blocks ──▶ verified against a trust root, or refused
//!   DeskClient ──── publish, alerts, deals, keep the vault ──▶ only on the own organisation's node
//!        │
//!   connection      one HTTP/2 channel, reconnecting
//!        │
//!   tls             TLS 1.3 both ways; who a peer is, the registry says by its key
//! ```
//!
//! A node is believed about nothing that can be proved: a lying node is told from an unreachable
//! one. Specification: `proto/README.md`, sections 7 and 8.

mod blocks;
mod certified;
mod connection;
mod desk;
mod due;
mod error;
mod escrow;
mod genealogy;
mod inspections;
mod ledger;
mod lots;
mod parcels;
mod post;
pub mod tls;
mod vault;

pub use blocks::{BlockVerifier, VerifiedBlock};
pub use connection::Target;
pub use desk::{CertificateFile, DeskClient, PublishEvent, Published, RaiseAlert};
pub use due::{DueDepositView, PlannedDeposit, WantedDocument};
pub use error::{ClientError, REFUSAL_CODE, RETRY_AFTER_MS};
pub use escrow::{
    AskOffersResponse, ClaimFound, DealLengths, DealPart, DealRuling, DealView, DealWatch,
    DepositAgentView, DepositFile, DepositSection, DepositStart, DepositView, DestroyDeposit,
    DocumentView, DrillDeposit, HoldingView, Offer, OfferedClause, OpenDealRequest, OpenedSection,
    RefreshDeposit, SectionView, SignOrderRequest, SignOrderResponse, Tending,
};
pub use genealogy::{
    Affected, AffectedBy, AffectedCustomer, FoundLots, OriginReport, OriginShare, Recall,
    RecallDetail, RecallDrill, RecallHolder, Trace, TracedLot, Whereabouts,
};
pub use heatmark_proto::desk::v1::{
    AgreeRequest, AttestRequest, AttestResponse, CertificateFile as ReportFile, DiscloseRequest,
    Tolerance,
};
pub use inspections::{
    DealInspection, Delivered, DeliveredGoods, InspectionGiven, InspectionView, NamedFile,
    ShownInspection,
};
pub use ledger::{Accusation, LedgerClient, Proven, ReceiptOf, VerifiedHeader};
pub use lots::{
    CapturePoint, CaptureProduct, LotEvent, LotQuantity, LotRow, LotState, MakeLotsRequest, NewLot,
    ProcessField, ReportCaptureRequest, ReportCaptureResponse, WaivePoints,
};
pub use parcels::{
    CountedLot, DespatchNote, ListParcelsResponse, ParcelAt, ParcelLot, ParcelRow, ParcelState,
    ReadParcelResponse, ReceiveLotsRequest, ShipLotsRequest, ShipLotsResponse, ShipmentRow,
};
pub use post::LetterRow;
pub use vault::{BackupEnd, Entry, Log, Operator, OperatorRole};

/// Largest answer that a client accepts, in bytes: a full entry bundle of the longest transactions.
pub const MAX_ANSWER_BYTES: usize = 20 << 20;
