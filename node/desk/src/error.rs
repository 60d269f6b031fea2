//! What can go wrong at the desk, and whose fault it is. Messages name no field value, key or
//! file content.

use heatmark_evidence::{DisclosureError, SelectionError};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state::StateError;
use heatmark_mempool::{IntakeError, MempoolError};
use heatmark_merkle::BatchError;
use heatmark_records::conformance::agreement::ToleranceError;
use heatmark_records::conformance::{ProveError, Unprovable};
use heatmark_records::{Path, RecordError, RecordId};
use heatmark_store::StoreError;
use heatmark_vault::VaultError;
use thiserror::Error;

/// Why the desk cannot do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The ledger refuses the transaction; see the reason for the remedy.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// No room in the pool for as long as the transaction was valid. Transient: try again.
    #[error("{0}")]
    Busy(#[from] MempoolError),
    /// The transaction's window ended before a block took it. Nothing happened: try again.
    #[error("the transaction expired before a block took it")]
    Expired,
    /// A file that an inspection was given cannot be used: mend what is named.
    #[error("{0} cannot be used: {1}")]
    Inspection(String, heatmark_inspection::InputError),
    /// Not committed in time, and it may yet be: ask for it by its id before trying again.
    #[error("the transaction is not committed yet; it may still be")]
    NotCommitted,
    /// The caller named a record that this node has not published.
    #[error("this node has published no record {0}")]
    UnknownRecord(RecordId),
    /// The record waits for its anchor: ask again in a moment.
    #[error("record {0} is not anchored yet")]
    NotAnchored(RecordId),
    /// The caller named a receiver that the registry does not know.
    #[error("the registry knows no member {0}")]
    UnknownMember(MemberId),
    /// The file's name is not a plain one, or the file is too long for a letter. The caller's fault.
    #[error("a letter holds a file of at most 4 MiB under a plain name")]
    Letter,
    /// The certificate names no mass or heat, or was published before certificates had an origin seal.
    #[error("certificate {0:?} commissions nothing")]
    CommissionsNothing(RecordId),
    /// Its mass is a calculated one, and that it states no other cannot be shown: publish it again, as a correction.
    #[error(
        "certificate {0:?} states a calculated mass, and that it states no other cannot be shown: publish it again with --supersedes"
    )]
    MassHidden(RecordId),
    /// This kind of event is not made in this way. The caller's fault.
    #[error("events of this kind are not made in this way")]
    LotKind,
    /// The caller changes a quantity that this kind of event keeps: leave it out, or adjust the lot.
    #[error("this kind of event keeps masses and pieces as they are; leave them out")]
    LotKept,
    /// A lot that is used has expired: give a reason, or extend it with a service.
    #[error("lot {0} has expired; using it needs a reason")]
    LotExpired(String),
    /// The lot is no container or product, or nobody told this node what it consists of.
    #[error("lot {0} is not known to consist of others in this way")]
    NotAssembled(String),
    /// The caller removes what is no component, or the product itself.
    #[error("the product has no component {0}")]
    NotInside(String),
    /// A weighing exceeds the last one by more than its tolerance: declare the rest as uncertified, or state a tolerance.
    #[error(
        "the weighing exceeds the last one by more than {0} in a thousand; declare the rest as uncertified"
    )]
    BeyondTolerance(u32),
    /// The event skips a point of the capture plan: record what is missing, or waive the point.
    #[error(
        "point {point} of {product:?} is skipped: {missing} is missing; record it, or waive the point: --waive {point:?}, why, and until when"
    )]
    PointSkipped {
        /// The point.
        point: String,
        /// The product at which the plan demands it.
        product: String,
        /// What is missing.
        missing: String,
    },
    /// The caller waives what is not skipped.
    #[error("nothing is skipped at point {0}, so that there is nothing to waive")]
    NothingToWaive(String),
    /// The caller's waiver says nothing of why, or does not end within a year.
    #[error("a waiver names points, says why in 1 to 512 bytes, and ends within a year from now")]
    Waiver,
    /// What was scanned is none of the lots that the event uses: look at the label again.
    #[error(
        "what was scanned is lot {0}, which is not among the lots that are used; nothing was recorded"
    )]
    ScannedOther(String),
    /// The caller's serials or their pattern: 1 to 1,000,000 of 1 to 64 printable characters, or `K-{0001}`.
    #[error(
        "serials are 1 to 1,000,000, each of 1 to 64 printable ASCII characters; a pattern counts as K-{{0001}} does"
    )]
    SerialPattern,
    /// Serials and pieces differ in number: every piece of a lot with serials has one. Name those that are lost.
    #[error(
        "{serials} serials do not fit {pieces} pieces; every piece has one, and those that are lost are named"
    )]
    SerialCount {
        /// How many serials there are.
        serials: u64,
        /// How many pieces.
        pieces: u64,
    },
    /// Serials that go in and neither come out nor are named as lost.
    #[error("{0} serials go in and neither come out nor are named as lost")]
    SerialsLeft(u64),
    /// A lot would mix serials of two trees: relabel the lots with new serials first, or keep them apart.
    #[error("a lot holds serials of one tree only; keep the lots apart, or give them new serials")]
    SerialTrees,
    /// A lot would hold more runs of serials than it can: divide it in their order.
    #[error("a lot holds at most 256 runs of serials; divide it in the order of its serials")]
    ScatteredSerials,
    /// The lot has no serials, or others than its pieces'.
    #[error("the lot has no serials")]
    NoSerials,
    /// The lot has no piece of this serial.
    #[error("no piece of the lot has the serial {0}, as far as this node gave it")]
    UnknownSerial(String),
    /// A process field has no plain name or no printable text, or stands twice. The caller's fault.
    #[error(
        "a process record has up to 64 fields, each once: a name of a-z, 0-9 and -, and up to 512 bytes of text"
    )]
    ProcessField,
    /// The plan of an event does not keep the rules of its kind, or its quantities do not add up.
    #[error("{0}")]
    Lots(#[from] heatmark_lots::MakeError),
    /// A file of a transfer is not sound; see the reason.
    #[error("{0}")]
    Transfer(#[from] heatmark_evidence::transfer::TransferError),
    /// A capsule proves nothing at all; see the reason.
    #[error("a capsule in it: {0}")]
    Capsule(heatmark_evidence::capsule::CapsuleError),
    /// A file of a transfer is for another member, or came from another than it names.
    #[error("it is for another company, or comes from another one than it names")]
    NotForUs,
    /// An offer or a parcel has no lots, or too many. The caller's fault.
    #[error("a parcel and an offer have 1 to 64 lots")]
    SealCount,
    /// The receiver has offered no seals for this: take in its offer first.
    #[error(
        "there are not enough seals of {0}; ask it for an offer, and give that with --offer, or send the lots as a letter"
    )]
    NoSeals(MemberId),
    /// The parcel is longer than what a node takes: send its lots in several.
    #[error("the parcel is longer than 4 MiB; send its lots in several parcels")]
    ParcelTooLong,
    /// The lot's history does not fit into a capsule.
    #[error("the lot's history is longer than a capsule may be")]
    CapsuleTooLong,
    /// The receiver would have longer than the log allows. The caller's fault.
    #[error("a receiver has at most 59 days")]
    Window,
    /// The specification cannot be read, or takes limits from the certificate, which cannot be passed on.
    #[error("the specification cannot be read, or takes its limits from the certificate")]
    BadSpecification,
    /// A disclosure that is to go along attests nothing.
    #[error("record {0} attests no certificate")]
    NoAttestation(RecordId),
    /// What came with a lot does not hold: refuse the parcel, or take it for what it is.
    #[error(
        "lot {0} is rejected: {1}; refuse it with `heatmark lot refuse`, or take it with --anyway"
    )]
    Rejected(String, String),
    /// No alert on what is known here is meant, or more than one. The caller's fault.
    #[error("no alert, or more than one, on what is known here begins so")]
    NoRecall,
    /// No letter has this id. The caller's fault.
    #[error("no such letter")]
    UnknownLetter,
    /// The caller's purpose is empty, too long or not printable.
    #[error("a purpose is 1 to {limit} bytes of printable text", limit = heatmark_evidence::MAX_PURPOSE_BYTES)]
    Purpose,
    /// The caller chose no field and no limits.
    #[error("nothing is chosen to be shown or proved")]
    NothingDisclosed,
    /// The caller's choice of fields names something that the record does not have.
    #[error("{0}")]
    Selection(#[from] SelectionError),
    /// Limits cannot be proved; nothing was made. Show the values, or use a specification that the record keeps.
    #[error("{}", unproved(.0))]
    Unproved(Vec<(String, Unprovable)>),
    /// The certificate gives no limits of its own.
    #[error("the certificate gives no limits of its own")]
    NoOwnLimits,
    /// The specification names who may use it, and the receiver is not among them.
    #[error("the specification may not be used by {0}")]
    SpecificationNotFor(MemberId),
    /// Something was proved to this receiver by another specification: name that one again, or show the value.
    #[error(
        "{0} was proved to this receiver by another specification, and is proved by no second one"
    )]
    AgreedOtherwise(Path),
    /// A field was proved to this receiver to agree within another tolerance: name that one again, or show the value.
    #[error("{0} was proved to this receiver to agree within another tolerance")]
    OtherTolerance(Path),
    /// A field was proved to this receiver to agree with as many other records as it may: show the value.
    #[error(
        "{0} was proved to this receiver to agree with other records often enough to close in on it"
    )]
    AgreedWithOthers(Path),
    /// The caller's tolerances are none.
    #[error("{0}")]
    Tolerance(#[from] ToleranceError),
    /// The two records are the same.
    #[error("a record agrees with itself, which says nothing")]
    SameRecord,
    /// The caller attests a record that this member issued: somebody else has to.
    #[error("record {0} is this member's own; an attestation is somebody else's word")]
    OwnRecord(RecordId),
    /// A disclosure is of another record than the one that is attested.
    #[error("a disclosure is of record {0}, not of the one that is attested")]
    OtherRecord(RecordId),
    /// More disclosures than an attestation rests on.
    #[error("an attestation rests on at most {limit} disclosures", limit = crate::MAX_DISCLOSURES)]
    TooManyDisclosures,
    /// A disclosure by others does not verify: ask for another.
    #[error("the disclosure does not verify: {0}")]
    Evidence(DisclosureError),
    /// The file has faults; nothing of it was kept. One line each.
    #[error("the file has faults: {}", .0.join("; "))]
    Faults(Vec<String>),
    /// A proof could not be made; a defect.
    #[error("the proof could not be made")]
    Proof,
    /// Another alert by this node on the same subject is on its way. Wait for it.
    #[error("another alert on this subject is on its way")]
    AlertUnderway,
    /// The caller gave no level, or one that is not known.
    #[error("an alert needs a level")]
    NoLevel,
    /// The caller's reason is too long.
    #[error("a reason has at most {limit} bytes", limit = crate::MAX_REASON_BYTES)]
    ReasonTooLong,
    /// The caller's body says nothing.
    #[error("the transaction has no payload")]
    NoPayload,
    /// Co-signatures cover window and nonce, so a co-signed body must come with both.
    #[error("a co-signed body must have its window and nonce")]
    IncompleteBody,
    /// The caller wants to let in a key that the registry knows, as somebody's.
    #[error("this key stands in the registry; an operator needs a key of its own")]
    RegisteredKey,
    /// The caller's key is none that can be shown in TLS.
    #[error("this is no acceptable Ed25519 key")]
    NoKey,
    /// The vault refuses; or its disk failed, or its content is damaged, which is fatal for the
    /// desk.
    #[error("vault: {0}")]
    Vault(VaultError),
    /// The log's store failed. Fatal for the node.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// The state cannot be read. Fatal for the node.
    #[error("{0}")]
    State(#[from] StateError),
    /// The network runs a protocol version that this program does not know. Install a newer one.
    #[error("protocol version {0} is in force, which this program does not know")]
    VersionTooNew(u32),
    /// A record cannot be made or read.
    #[error("record: {0}")]
    Record(#[from] RecordError),
    /// A batch cannot be made; a defect.
    #[error("batch: {0}")]
    Batch(#[from] BatchError),
    /// See [`crate::DealError`].
    #[error("{0}")]
    Deal(#[from] crate::DealError),
    /// The node is stopping, or whoever asked is gone.
    #[error("the node is stopping")]
    Stopped,
}

impl From<VaultError> for DeskError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::AgreedOtherwise(path) => Self::AgreedOtherwise(path),
            VaultError::OtherTolerance(path) => Self::OtherTolerance(path),
            VaultError::AgreedWithOthers(path) => Self::AgreedWithOthers(path),
            other => Self::Vault(other),
        }
    }
}

impl From<ProveError> for DeskError {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Limits(limits) => Self::Unproved(limits),
            ProveError::Record(error) => Self::Record(error),
            ProveError::Proof => Self::Proof,
        }
    }
}

/// One line a limit, since this is said to the record's own holder.
fn unproved(limits: &[(String, Unprovable)]) -> String {
    let lines: Vec<String> = limits.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    format!("cannot be proved, and nothing was made: {}", lines.join("; "))
}

impl From<IntakeError> for DeskError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Refused(refusal) => Self::Refused(refusal),
            IntakeError::Pool(full) => Self::Busy(full),
            IntakeError::State(error) => Self::State(error),
            IntakeError::VersionTooNew(version) => Self::VersionTooNew(version),
        }
    }
}

impl DeskError {
    /// A stable name for metrics and machine-readable answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Busy(MempoolError::Full) => "pool-full",
            Self::Busy(MempoolError::MemberQuota) => "member-quota",
            Self::Expired => "expired",
            Self::Inspection(..) => "inspection-file",
            Self::NotCommitted => "pending",
            Self::UnknownRecord(_) => "unknown-record",
            Self::NotAnchored(_) => "not-anchored",
            Self::UnknownMember(_) => "unknown-member",
            Self::Letter => "letter",
            Self::CommissionsNothing(_) => "commissions-nothing",
            Self::MassHidden(_) => "mass-hidden",
            Self::LotKind => "lot-kind",
            Self::LotKept => "lot-kept",
            Self::LotExpired(_) => "lot-expired",
            Self::NotAssembled(_) => "not-assembled",
            Self::NotInside(_) => "not-inside",
            Self::BeyondTolerance(_) => "beyond-tolerance",
            Self::ProcessField => "process-field",
            Self::PointSkipped { .. } => "point-skipped",
            Self::NothingToWaive(_) => "nothing-to-waive",
            Self::Waiver => "waiver",
            Self::ScannedOther(_) => "scanned-other",
            Self::SerialPattern => "serial-pattern",
            Self::SerialCount { .. } | Self::SerialsLeft(_) => "serial-count",
            Self::SerialTrees => "serial-trees",
            Self::ScatteredSerials => "scattered-serials",
            Self::NoSerials => "no-serials",
            Self::UnknownSerial(_) => "unknown-serial",
            Self::Lots(error) => lots_code(*error),
            Self::Transfer(error) => error.code(),
            Self::Capsule(error) => error.code(),
            Self::NotForUs => "not-for-us",
            Self::SealCount => "seal-count",
            Self::NoSeals(_) => "no-seals",
            Self::ParcelTooLong | Self::CapsuleTooLong => "too-long",
            Self::Window => "window",
            Self::BadSpecification => "specification",
            Self::NoAttestation(_) => "no-attestation",
            Self::Rejected(..) => "rejected",
            Self::NoRecall => "no-recall",
            Self::UnknownLetter => "unknown-letter",
            Self::Purpose => "purpose",
            Self::NothingDisclosed => "nothing-disclosed",
            Self::Selection(_) => "no-such-field",
            Self::Unproved(_) => "limits-unproved",
            Self::NoOwnLimits => "no-own-limits",
            Self::SpecificationNotFor(_) => "specification-not-for",
            Self::AgreedOtherwise(_) => "agreed-otherwise",
            Self::OtherTolerance(_) => "other-tolerance",
            Self::AgreedWithOthers(_) => "agreed-with-others",
            Self::Tolerance(_) => "tolerance",
            Self::SameRecord => "same-record",
            Self::OwnRecord(_) => "own-record",
            Self::OtherRecord(_) => "other-record",
            Self::TooManyDisclosures => "too-many-disclosures",
            Self::Evidence(error) => error.code(),
            Self::Faults(_) => "faults",
            Self::Proof => "proof",
            Self::AlertUnderway => "alert-underway",
            Self::NoLevel => "field",
            Self::ReasonTooLong => "too-long",
            Self::NoPayload => "no-payload",
            Self::IncompleteBody => "incomplete-body",
            Self::RegisteredKey => "registered-key",
            Self::NoKey => "key",
            Self::Vault(error) => vault_code(error),
            Self::Store(_) | Self::State(_) => "store",
            Self::VersionTooNew(_) => "version-too-new",
            Self::Record(_) | Self::Batch(_) => "record",
            Self::Deal(error) => error.code(),
            Self::Stopped => "stopping",
        }
    }
}

const fn lots_code(error: heatmark_lots::MakeError) -> &'static str {
    use heatmark_lots::MakeError;
    match error {
        MakeError::Rule(error) => error.code(),
        MakeError::Witness | MakeError::Unbalanced => "unbalanced",
        MakeError::TooMuch => "too-much",
        MakeError::Proof => "proof",
    }
}

fn vault_code(error: &VaultError) -> &'static str {
    match error {
        VaultError::UnknownRecord(_) => "unknown-record",
        VaultError::Erased(_) => "erased",
        VaultError::OnHold(_) => "on-hold",
        VaultError::Retained { .. } => "retained",
        VaultError::NotAnchored(_) => "not-anchored",
        VaultError::Name | VaultError::NoRole | VaultError::LotName => "field",
        VaultError::UnknownLot => "unknown-lot",
        VaultError::LotUsed(_) => "lot-used",
        VaultError::LotNotThere(_) => "lot-not-there",
        VaultError::LotNameTaken(_) => "lot-name-taken",
        VaultError::SerialTaken(_) => "serial-taken",
        VaultError::SerialsUnknown => "serials-unknown",
        VaultError::Commissioned(_) => "commissioned",
        VaultError::SealUsed => "seal-used",
        VaultError::NotUnderway => "not-underway",
        VaultError::ReasonTooLong => "too-long",
        VaultError::UnknownOperator => "unknown-operator",
        VaultError::TooManyOperators => "too-many-operators",
        _ => "vault",
    }
}
