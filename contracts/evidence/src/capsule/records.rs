//! Records in a capsule: anchored by their issuers, or named by an event on the log, with what is shown and proved of them.
//! Refuses fields of other records and proofs made for anything else than the capsule says they were made for.

use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{AlertSubject, Height, KeyId, MemberId};
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_lots::{CertifiedMass, LotError, MASS_PATH, THEORETICAL_MASS_PATH, mass_committed_to};
use heatmark_merkle::{Hash, batch};
use heatmark_records::conformance::{Conformance, verify_all};
use heatmark_records::forms::TRANSCRIBED;
use heatmark_records::{FieldProof, Head, Path, RecordId, Said, Specification};
use std::collections::BTreeMap;

use super::entries::Entries;
use super::events::{check_inclusion, read};
use super::{CapsuleError, CapsuleRecord};
use crate::bundle::Telling;
use crate::disclosure::context;
use crate::grounds::read_batch;
use crate::{Conformity, Party};

/// What is wrong with which record.
type Faults = Vec<(RecordId, &'static str)>;

/// A record that stands on the log.
pub(super) struct Anchored {
    pub(super) record: RecordId,
    pub(super) head: Head,
    pub(super) issuer: Party,
    /// The issuer's roles, as far as the capsule proves its entry.
    roles: Vec<pb::Role>,
    pub(super) fields: Vec<(Path, Said)>,
    /// The hashes of these fields' leaves.
    leaves: BTreeMap<Path, Hash>,
    /// What hides each field's numbers from the proofs.
    hidden: BTreeMap<Path, Said>,
    specification: Option<Specification>,
    context: Vec<u8>,
    /// Who made the conformance proof, by key.
    pub(super) discloser: Option<KeyId>,
    /// Whether an anchor of its issuer carries it; else an event has to name it.
    pub(super) anchored: bool,
    pub(super) conformity: Option<Conformity>,
    /// The issuer's key is not told, or compromised since a height that the header has reached.
    pub(super) doubt: Option<&'static str>,
}

impl Anchored {
    pub(super) fn transcribed(&self) -> bool {
        self.head.heading().form.starts_with(TRANSCRIBED)
    }

    pub(super) fn subject(&self) -> AlertSubject {
        AlertSubject::from(self.head.heading().alert_subject)
    }

    pub(super) fn origin_seal(&self) -> Option<Hash> {
        self.head.heading().origin_seal.map(Hash)
    }

    pub(super) fn said(&self, path: &str) -> Option<&Said> {
        self.fields.iter().find(|(at, _)| at.as_str() == path).map(|(_, said)| said)
    }

    /// The mass that the certificate commissions; `mass-untold` where the capsule does not say enough of the record to tell.
    pub(super) fn mass(&self) -> Result<CertifiedMass, &'static str> {
        let actual = self.said(MASS_PATH).ok_or("mass-untold")?;
        let theoretical = self.said(THEORETICAL_MASS_PATH);
        mass_committed_to(actual, theoretical).map_err(|fault| match (fault, theoretical) {
            (LotError::NoCertifiedMass, None) => "mass-untold",
            (fault, _) => fault.code(),
        })
    }

    /// Reads a record, finds it on the log and checks its fields.
    pub(super) fn verify(
        entry: &CapsuleRecord,
        header: &Header,
        entries: &Entries,
    ) -> Result<Self, &'static str> {
        let record = Hash::try_from(entry.record.as_slice()).map_err(|_| "wrong-length")?;
        let head = Head::decode(&entry.head).map_err(|_| "bad-head")?;
        if &head.heading().network != header.network.as_bytes() {
            return Err("wrong-network");
        }
        let member = MemberId::from(head.heading().issuer);
        let anchored = !entry.transaction.is_empty();
        let doubt = if anchored {
            let signer = check_anchor(entry, &record, header)?;
            doubt(entries, &signer, &member, header.height)?
        } else if entry.leaf == 0 && entry.path.is_empty() && entry.batch.is_empty() {
            None
        } else {
            return Err("not-an-anchor");
        };
        let known = entries.member(&member);
        let roles = known.iter().flat_map(pb::MemberEntry::roles).collect();
        let issuer = Party { member, legal_name: known.map(|entry| entry.legal_name) };
        let mut fields: Vec<(Path, Said)> = Vec::with_capacity(entry.fields.len());
        let mut leaves = BTreeMap::new();
        for field in &entry.fields {
            let field = FieldProof::decode(field).map_err(|_| "bad-field")?;
            if fields.last().is_some_and(|(last, _)| *last >= field.path) {
                return Err("field-order");
            }
            let leaf = field.verified_leaf(&head, &record).map_err(|_| "wrong-root")?;
            leaves.insert(field.path.clone(), leaf);
            fields.push((field.path, field.said));
        }
        let (specification, context) = proved_for(entry, header, &record)?;
        // Only proofs need it, and it costs a commitment a number.
        let proved = fields.iter().filter(|_| specification.is_some());
        let hidden = proved.map(|(path, said)| (path.clone(), said.hidden())).collect();
        let discloser = specification
            .is_some()
            .then(|| KeyId::try_from(entry.discloser.as_slice()).ok())
            .flatten();
        Ok(Self {
            record,
            head,
            issuer,
            roles,
            fields,
            leaves,
            hidden,
            specification,
            context,
            discloser,
            anchored,
            conformity: None,
            doubt,
        })
    }

    /// What it tells to whoever puts records together.
    pub(super) fn telling(&self) -> Telling<'_> {
        Telling {
            record: self.record,
            head: &self.head,
            issuer: &self.issuer,
            roles: &self.roles,
            sound: self.doubt.is_none(),
            fields: &self.fields,
            leaves: &self.leaves,
            conformity: self.conformity.as_ref(),
        }
    }
}

/// The anchor's signer.
fn check_anchor(
    entry: &CapsuleRecord,
    record: &RecordId,
    header: &Header,
) -> Result<KeyId, &'static str> {
    check_inclusion(&entry.transaction, entry.leaf, &entry.path, header)?;
    let (envelope, body) = read(&entry.transaction)?;
    let Some(Payload::Anchor(anchor)) = body.payload else { return Err("not-an-anchor") };
    let root = Hash::try_from(anchor.root.as_slice()).map_err(|_| "not-an-anchor")?;
    let (position, count, path) = read_batch(&entry.batch).ok_or("batch-path")?;
    if count != anchor.records || batch::verify(record, position, count, &path, &root).is_err() {
        return Err("batch-path");
    }
    KeyId::try_from(envelope.signer.as_slice()).map_err(|_| "body-not-canonical")
}

fn doubt(
    entries: &Entries,
    signer: &KeyId,
    issuer: &MemberId,
    at: Height,
) -> Result<Option<&'static str>, &'static str> {
    let Some(key) = entries.key(signer) else { return Ok(Some("issuer-untold")) };
    if key.member != issuer.as_bytes() {
        return Err("not-the-issuer");
    }
    let since = Height(key.compromised_since_height);
    Ok((since != Height(0) && at >= since).then_some("key-compromised"))
}

fn proved_for(
    entry: &CapsuleRecord,
    header: &Header,
    record: &RecordId,
) -> Result<(Option<Specification>, Vec<u8>), &'static str> {
    if entry.specification.is_empty() {
        let bare = entry.proofs.is_empty()
            && entry.receiver.is_empty()
            && entry.purpose.is_empty()
            && entry.discloser.is_empty();
        return if bare { Ok((None, Vec::new())) } else { Err("specification") };
    }
    let specification = Specification::parse(&entry.specification).map_err(|_| "specification")?;
    // Limits that a certificate calls its own are compared with it in a disclosure, where it shows them.
    if specification.own_limits {
        return Err("own-limits");
    }
    let receiver = MemberId::try_from(entry.receiver.as_slice()).map_err(|_| "wrong-length")?;
    let discloser = KeyId::try_from(entry.discloser.as_slice()).map_err(|_| "wrong-length")?;
    let made_for = (&receiver, entry.purpose.as_str());
    Ok((Some(specification), context(&header.network, record, made_for, &discloser)))
}

/// The records that stand on the log, and what is wrong with the others. Conformance proofs are verified together.
pub(super) fn verify_records(
    records: &[CapsuleRecord],
    header: &Header,
    entries: &Entries,
) -> Result<(BTreeMap<RecordId, Anchored>, Faults), CapsuleError> {
    let mut anchored = BTreeMap::new();
    let mut faults = Vec::new();
    let mut proofs = Vec::new();
    for entry in records {
        let id = Hash::try_from(entry.record.as_slice()).map_err(|_| CapsuleError::NotCanonical)?;
        match Anchored::verify(entry, header, entries) {
            Ok(record) => {
                if record.specification.is_some() {
                    proofs.push((id, entry.proofs.as_slice()));
                }
                anchored.insert(id, record);
            }
            Err(code) => faults.push((id, code)),
        }
    }
    let mut jobs = Vec::with_capacity(proofs.len());
    for (id, proofs) in &proofs {
        let Some(record) = anchored.get(id) else { continue };
        let Some(specification) = &record.specification else { continue };
        let (context, said) = (record.context.as_slice(), &record.hidden);
        jobs.push((Conformance { context, specification, said }, *proofs));
    }
    let judged = verify_all(&jobs);
    drop(jobs);
    for ((id, _), limits) in proofs.iter().zip(judged) {
        match (limits, anchored.get_mut(id)) {
            (Ok(limits), Some(record)) => {
                let specification = record.specification.clone();
                record.conformity =
                    specification.map(|specification| Conformity { specification, limits });
            }
            _ => faults.push((*id, "conformance-proof")),
        }
    }
    Ok((anchored, faults))
}
