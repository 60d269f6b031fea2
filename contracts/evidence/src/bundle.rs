//! What several verified files, or the records of a capsule, say together: all that is told of one record, and what other
//! members' records attest of it. An attestation counts for a record only by that record's id, which its issuer anchored; a field that it
//! binds must be the very leaf that is shown. Refuses nothing: it tells, and a policy judges.
//! Specification: `proto/README.md` section 9.

use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::Signing;
use heatmark_merkle::Hash;
use heatmark_records::conformance::agreement::Tolerance;
use heatmark_records::forms::ATTESTATION;
use heatmark_records::forms::attestation::{Accreditation, Attestation, How};
use heatmark_records::{Head, Measured, Path, RecordId, Said, Value};
use std::collections::BTreeMap;

use crate::{Agreed, Conformity, Party, Verified};

/// What one file, or one part of a capsule, tells of a record that stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling<'v> {
    pub(crate) record: RecordId,
    pub(crate) head: &'v Head,
    pub(crate) issuer: &'v Party,
    /// The issuer's roles, as far as the registry's state is told.
    pub(crate) roles: &'v [pb::Role],
    /// Whether the issuer's key is not told to be stolen by then.
    pub(crate) sound: bool,
    pub(crate) fields: &'v [(Path, Said)],
    pub(crate) leaves: &'v BTreeMap<Path, Hash>,
    pub(crate) conformity: Option<&'v Conformity>,
}

impl<'v> From<&'v Verified> for Telling<'v> {
    fn from(file: &'v Verified) -> Self {
        Self {
            record: file.record,
            head: &file.head,
            issuer: &file.issuer,
            roles: &file.roles,
            sound: file.signing == Signing::Sound,
            fields: &file.fields,
            leaves: &file.leaves,
            conformity: file.conformity.as_ref(),
        }
    }
}

/// All that verified files tell of one record.
#[derive(Debug, Clone)]
struct Known<'v> {
    files: Vec<Telling<'v>>,
    /// The most that is told of each path.
    fields: BTreeMap<&'v Path, &'v Said>,
    leaves: BTreeMap<&'v str, &'v Hash>,
}

/// A record, and the attestations of it.
#[derive(Debug, Clone)]
pub struct Bundle<'v> {
    record: RecordId,
    subject: Known<'v>,
    attestations: Vec<Attesting<'v>>,
    agreements: Vec<&'v Agreed>,
}

#[derive(Debug, Clone)]
struct Attesting<'v> {
    record: RecordId,
    by: Telling<'v>,
    /// Whether no file about it tells that its issuer's key was stolen by then.
    sound: bool,
    says: Attestation<'v>,
}

/// How the leaf that an attestation binds stands to what is told of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// To the very field that is told here.
    Same,
    /// To a field that is not told here.
    Untold,
    /// To something else than the record's field.
    Other,
    /// To none: the attester gives a result of its own for the same property.
    Nothing,
}

/// One property of a record that another record attests.
#[derive(Debug, Clone)]
pub struct Attested<'v> {
    /// The property's path, in both records.
    pub property: &'v str,
    /// The attestation's record.
    pub attestation: RecordId,
    /// Whose it is.
    pub issuer: &'v Party,
    /// The attester's roles, as of the registry's state that is there.
    pub roles: &'v [pb::Role],
    /// Whether no file about it tells that the attester's key was stolen by then.
    pub sound: bool,
    /// Whether the attester is another than the record's issuer.
    pub independent: bool,
    /// Measured, or confirmed.
    pub how: How,
    /// What of the record is bound.
    pub bound: Bound,
    /// The attester's result, where it is shown.
    pub result: Option<&'v Value>,
    /// Sample, method and day of the test, where they are shown.
    pub sample_type: Option<&'v str>,
    /// The method.
    pub method: Option<&'v str>,
    /// `YYYY-MM-DD`.
    pub date: Option<&'v str>,
    /// Where it stands towards the accreditation that the attester states.
    pub accreditation: Accreditation,
    /// Body and number of that accreditation.
    pub accredited_as: Option<(&'v str, &'v str)>,
    /// The narrowest tolerance within which both results are proved to agree.
    pub agrees_within: Option<&'v Tolerance>,
}

/// What the record and the attester say of one property, both shown.
pub(crate) type Both<'v> = (&'v Measured, &'v Measured);

impl<'v> Known<'v> {
    fn add(&mut self, fields: &'v [(Path, Said)], leaves: &'v BTreeMap<Path, Hash>) {
        for (path, said) in fields {
            let known = self.fields.entry(path).or_insert(said);
            // A number that one file shows is shown, whatever others only prove of it.
            if matches!(known, Said::Committed(_)) {
                *known = said;
            }
        }
        self.leaves.extend(leaves.iter().map(|(path, leaf)| (path.as_str(), leaf)));
    }

    fn attestation(&self) -> Option<Attestation<'v>> {
        if !self.files.iter().all(|file| is_attestation(file)) {
            return None;
        }
        let shown = self.fields.iter().filter_map(|(path, said)| match said {
            Said::Shown { value, .. } => Some((*path, value)),
            Said::Committed(_) | Said::Absent => None,
        });
        let hidden = self.fields.iter().filter(|(_, said)| matches!(said, Said::Committed(_)));
        Some(Attestation::of(shown)?.with_hidden(hidden.map(|(path, _)| *path)))
    }
}

/// Whether a record calls itself an attestation, which no field of it is shown without.
fn is_attestation(file: &Telling<'_>) -> bool {
    file.head.heading().form.starts_with(ATTESTATION)
}

impl<'v> Bundle<'v> {
    /// Puts together what belongs together: one bundle for each record that does not attest another one of these.
    #[must_use]
    pub fn gather(verified: &'v [Verified], agreed: &'v [Agreed]) -> Vec<Self> {
        Self::of(verified.iter().map(Telling::from), agreed)
    }

    /// The same of whatever tells of records.
    pub(crate) fn of(told: impl Iterator<Item = Telling<'v>>, agreed: &'v [Agreed]) -> Vec<Self> {
        let mut known: BTreeMap<RecordId, Known<'v>> = BTreeMap::new();
        for file in told {
            let empty =
                || Known { files: Vec::new(), fields: BTreeMap::new(), leaves: BTreeMap::new() };
            let of_record = known.entry(file.record).or_insert_with(empty);
            of_record.files.push(file);
            of_record.add(file.fields, file.leaves);
        }
        for side in agreed.iter().flat_map(|agreed| &agreed.records) {
            if let Some(of_record) = known.get_mut(&side.record) {
                of_record.add(&side.fields, &side.leaves);
            }
        }
        let says: Vec<Attesting<'v>> = known
            .iter()
            .filter_map(|(record, of_record)| {
                let by = *of_record.files.first()?;
                let sound = of_record.files.iter().all(|file| file.sound);
                Some(Attesting { record: *record, by, sound, says: of_record.attestation()? })
            })
            .collect();
        let attests_one = |record: &RecordId| {
            let mut own = says.iter().filter(|attesting| attesting.record == *record);
            own.any(|attesting| known.contains_key(attesting.says.record()))
        };
        let subjects = known.iter().filter(|(record, _)| !attests_one(record));
        subjects
            .map(|(record, subject)| Self {
                record: *record,
                subject: subject.clone(),
                attestations: {
                    let of_it = says.iter().filter(|attesting| attesting.says.record() == record);
                    of_it.cloned().collect()
                },
                agreements: agreed.iter().filter(|agreed| agreed.is_about(record)).collect(),
            })
            .collect()
    }

    /// The record.
    #[must_use]
    pub const fn record(&self) -> &RecordId {
        &self.record
    }

    /// What tells of the record.
    pub(crate) fn files(&self) -> &[Telling<'v>] {
        &self.subject.files
    }

    /// Whether the record attests another one, of which nothing is told here.
    #[must_use]
    pub fn is_attestation(&self) -> bool {
        self.subject.files.iter().any(|file| is_attestation(file))
    }

    /// The ids of the records that attest it.
    pub fn attestations(&self) -> impl Iterator<Item = &RecordId> {
        self.attestations.iter().map(|attesting| &attesting.record)
    }

    /// The most that is told of each path.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'v Path, &'v Said)> {
        self.subject.fields.iter().map(|(path, said)| (*path, *said))
    }

    /// Every property that is attested, by attestation and path.
    #[must_use]
    pub fn attested(&self) -> Vec<Attested<'v>> {
        let mut all = Vec::new();
        for attesting in &self.attestations {
            for (property, how) in attesting.says.properties() {
                all.push(self.attested_by(attesting, property, how));
            }
        }
        all
    }

    fn attested_by(&self, attesting: &Attesting<'v>, property: &'v str, how: How) -> Attested<'v> {
        let says = &attesting.says;
        let bound = match (says.leaf(property, how), self.subject.leaves.get(property)) {
            (None, _) => Bound::Nothing,
            (Some(_), None) => Bound::Untold,
            (Some(bound), Some(leaf)) if bound == **leaf => Bound::Same,
            (Some(_), Some(_)) => Bound::Other,
        };
        let issuer = self.subject.files.first().map(|file| file.issuer.member);
        Attested {
            property,
            attestation: attesting.record,
            issuer: attesting.by.issuer,
            roles: attesting.by.roles,
            sound: attesting.sound,
            independent: issuer != Some(attesting.by.issuer.member),
            how,
            bound,
            result: says.result(property),
            sample_type: says.sample_type(),
            method: says.method(property),
            date: says.date(property),
            accreditation: says.accreditation(property),
            accredited_as: says.accredited_as(),
            agrees_within: self.agreement(&attesting.record, property),
        }
    }

    fn agreement(&self, attestation: &RecordId, property: &str) -> Option<&'v Tolerance> {
        let of_both = self.agreements.iter().filter(|agreed| agreed.is_about(attestation));
        let sound = of_both
            .filter(|agreed| agreed.records.iter().all(|record| record.signing == Signing::Sound));
        let tolerances = sound.filter_map(|agreed| {
            agreed.tolerances.iter().find(|(path, _)| path.as_str() == property)
        });
        tolerances.map(|(_, tolerance)| tolerance).reduce(|narrowest, tolerance| {
            if tolerance.is_within(narrowest) { tolerance } else { narrowest }
        })
    }

    /// Both results of a property, where both are shown.
    pub(crate) fn both(&self, attested: &Attested<'v>) -> Option<Both<'v>> {
        let own = self.subject.fields.iter().find(|(path, _)| path.as_str() == attested.property);
        match (own?.1, attested.result?) {
            (Said::Shown { value: Value::Measured(own), .. }, Value::Measured(other)) => {
                Some((own, other))
            }
            _ => None,
        }
    }
}

impl Agreed {
    /// Whether a record is one of the two.
    #[must_use]
    pub fn is_about(&self, record: &RecordId) -> bool {
        self.records.iter().any(|of_record| of_record.record == *record)
    }
}
