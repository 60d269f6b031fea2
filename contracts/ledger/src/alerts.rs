//! What stands against a record: its issuer's alert and every member's concern, or that there is
//! none, as of one certified header, offline. Refuses a file that leaves a member out, proves
//! something else, gives a reason that is not the alert's, or does not link to the trust root. Specification: `proto/README.md`, section 7.

use std::collections::BTreeMap;

use crate::header::Header;
use crate::ids::{AlertSubject, MemberId};
use crate::receipt::{CertifiedHeader, ReceiptError, TrustRoot};
use crate::state;
use crate::wire::{self, MAX_RECEIPT_BYTES};
use heatmark_merkle::map::MapProof;
use heatmark_merkle::{Hash, tag};
use heatmark_proto::ledger::v1 as pb;

/// Longest reason of an alert, in bytes.
pub const MAX_ALERT_REASON_BYTES: usize = 4_096;

/// What stands against an alert subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The subject.
    pub subject: AlertSubject,
    /// As of which header; what came later is not known.
    pub header: Header,
    /// The issuer's alert, if one was ever raised.
    pub issuers: Option<pb::AlertState>,
    /// Members' concerns, ascending by member.
    pub concerns: Vec<(MemberId, pb::AlertState)>,
    /// Reasons that came with the file, by their digests.
    pub reasons: BTreeMap<Hash, String>,
}

impl Standing {
    /// The issuer's level, clear if none was ever raised.
    #[must_use]
    pub fn level(&self) -> pb::AlertLevel {
        self.issuers.as_ref().map_or(pb::AlertLevel::Clear, pb::AlertState::level)
    }

    /// Why an alert was raised, where the file tells.
    #[must_use]
    pub fn reason(&self, alert: &pb::AlertState) -> Option<&str> {
        let digest = Hash::try_from(alert.reason_digest.as_slice()).ok()?;
        self.reasons.get(&digest).map(String::as_str)
    }
}

/// The keys of the state whose entries a file about a subject holds, in its order, by the members
/// ever registered.
#[must_use]
pub fn keys(subject: &AlertSubject, members: &[MemberId]) -> Vec<Vec<u8>> {
    let concerns = members.iter().map(|member| state::concern_key(subject, member));
    [state::alert_key(subject), state::members_key()].into_iter().chain(concerns).collect()
}

/// Verifies a file against a trust root.
///
/// # Errors
/// See [`ReceiptError`].
pub fn verify_bytes(bytes: &[u8], trust: &TrustRoot) -> Result<Standing, ReceiptError> {
    verify(&wire::decode::<pb::AlertProof>(bytes, MAX_RECEIPT_BYTES)?, trust)
}

/// Verifies what came as a message.
///
/// # Errors
/// See [`ReceiptError`].
pub fn verify(proof: &pb::AlertProof, trust: &TrustRoot) -> Result<Standing, ReceiptError> {
    let subject = AlertSubject::try_from(proof.subject.as_slice())
        .map_err(|_| ReceiptError::Field("subject"))?;
    let later = |change: &&pb::SetChange| {
        change.header.as_ref().is_none_or(|header| header.height > trust.height.0)
    };
    let changes: Vec<_> = proof.set_changes.iter().filter(later).cloned().collect();
    let certified =
        CertifiedHeader::from_proto(proof.header.as_ref(), proof.certificate.as_ref(), &changes)?;
    trust.verify_header(&certified)?;
    let header = certified.header;
    let mut entries = proof.entries.iter();
    let mut next = |key: &[u8]| {
        let entry = entries.next().ok_or(ReceiptError::Field("entries"))?;
        value_of(entry, key, &header)
    };
    let issuers = next(&state::alert_key(&subject))?;
    let members = next(&state::members_key())?.ok_or(ReceiptError::Field("members"))?;
    let members: pb::MemberIndex = wire::decode(&members, MAX_RECEIPT_BYTES)?;
    let mut concerns = Vec::new();
    for member in &members.members {
        let member =
            MemberId::try_from(member.as_slice()).map_err(|_| ReceiptError::Field("members"))?;
        if let Some(value) = next(&state::concern_key(&subject, &member))? {
            concerns.push((member, alert_of(&value)?));
        }
    }
    if entries.next().is_some() {
        return Err(ReceiptError::Field("entries"));
    }
    let issuers = issuers.map(|value| alert_of(&value)).transpose()?;
    let alerts = issuers.iter().chain(concerns.iter().map(|(_, concern)| concern));
    let reasons = reasons(&proof.reasons, alerts)?;
    Ok(Standing { subject, header, issuers, concerns, reasons })
}

/// The digest of a reason that goes on the log: `H("alert-reason", salt, reason)`.
#[must_use]
pub fn reason_digest(salt: &[u8; 32], reason: &str) -> Hash {
    tag::hash("alert-reason", &[salt, reason.as_bytes()])
}

/// Each reason opens the digest of one alert, in the alerts' order; none opens nothing.
fn reasons<'a>(
    given: &[pb::AlertReason],
    mut alerts: impl Iterator<Item = &'a pb::AlertState>,
) -> Result<BTreeMap<Hash, String>, ReceiptError> {
    let mut reasons = BTreeMap::new();
    for pb::AlertReason { salt, reason } in given {
        let wrong = ReceiptError::Field("reasons");
        if reason.len() > MAX_ALERT_REASON_BYTES {
            return Err(wrong);
        }
        let salt = salt.as_slice().try_into().map_err(|_| wrong.clone())?;
        let digest = reason_digest(salt, reason);
        if !alerts.any(|alert| alert.reason_digest == digest.0) {
            return Err(wrong);
        }
        reasons.insert(digest, reason.clone());
    }
    Ok(reasons)
}

fn value_of(
    entry: &pb::StateEntry,
    key: &[u8],
    header: &Header,
) -> Result<Option<Vec<u8>>, ReceiptError> {
    if !entry.present && !entry.value.is_empty() {
        return Err(ReceiptError::Field("value"));
    }
    let value = entry.present.then(|| entry.value.clone());
    MapProof::from_bytes(&entry.proof)
        .and_then(|map| map.verify(&header.state_root, key, value.as_deref()))
        .map_err(ReceiptError::State)?;
    Ok(value)
}

fn alert_of(value: &[u8]) -> Result<pb::AlertState, ReceiptError> {
    Ok(wire::decode(value, MAX_RECEIPT_BYTES)?)
}
