//! What a buyer demands of a record, property by property: `shown`, the value itself, as a 3.1 certificate has it,
//! `proved`, that it keeps the limits of a specification that the buyer named, or `attested`, that somebody independent
//! says so too. A proof never takes the place of a value that was demanded, nor the issuer's own word that of another. Refuses policies that demand nothing. Specification: `proto/README.md` section 9.

use heatmark_ledger::genesis::role_from_name;
use heatmark_ledger::messages as pb;
use heatmark_merkle::Hash;
use heatmark_records::conformance::Standing;
use heatmark_records::conformance::agreement::Tolerance;
use heatmark_records::forms::attestation::{Accreditation, How};
use heatmark_records::{Path, Said, matches};
use serde::Deserialize;
use thiserror::Error;

use crate::{Attested, Bound, Bundle, Conformity};

const MAX_POLICY_BYTES: usize = 64 << 10;
const MAX_DEMANDS: usize = 1_000;

/// Why a text is no policy. The writer's fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Longer than any policy.
    #[error("a policy has at most {MAX_POLICY_BYTES} bytes")]
    TooLong,
    /// Not the TOML that is expected: mend what is named.
    #[error("{0}")]
    Text(String),
    /// It demands nothing, or too much.
    #[error("a policy has 1 to {MAX_DEMANDS} demands")]
    Count,
    /// An id has not 64 hex digits.
    #[error("issuers and specifications are ids of 64 hex digits")]
    Id,
    /// A demand for `proved` says nothing unless it is said by which limits.
    #[error(
        "a policy that is content with proofs names the specifications, or allows the certificate's own limits"
    )]
    NoSpecification,
    /// What only attestations have stands with another demand, or is not understood.
    #[error(
        "`attested_by` (member ids or roles), `accredited`, `sample` (heat, product) and `within` (0.02 %) stand with as = \"attested\""
    )]
    Attestation,
}

/// How much of a property has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// The value itself.
    Shown,
    /// That it keeps its limits; the value itself is welcome too, where the limits were proved all the same.
    Proved,
    /// That another member's record attests it.
    Attested,
}

/// What an attestation has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Terms {
    /// Whose, by member id or by role; anybody's but the issuer's, where none is named.
    members: Vec<Hash>,
    roles: Vec<pb::Role>,
    /// Whether it may stand outside an accreditation.
    unaccredited: bool,
    sample: Option<String>,
    within: Option<Tolerance>,
}

/// Why no attestation of a property will do; the later, the less it lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Unattested {
    /// There is none.
    #[error("nobody attests it")]
    Nobody,
    /// Only the issuer's own.
    #[error("only its own issuer attests it")]
    NotIndependent,
    /// By somebody whom the policy does not name.
    #[error("the attester is not one that the policy names")]
    Attester,
    /// The attester's key counts as stolen at the time.
    #[error("the attester's key counts as stolen")]
    Key,
    /// It binds another field than the record's.
    #[error("the attestation binds another field than is told here")]
    OtherField,
    /// It confirms a field that is not told here.
    #[error("the attestation confirms a field that is not told here")]
    FieldUntold,
    /// Of the other kind of sample.
    #[error("the sample is not of the kind that the policy demands")]
    Sample,
    /// Not within an accreditation.
    #[error("{}", .0.word())]
    Accreditation(Accreditation),
    /// Neither shown nor proved to agree.
    #[error("it is neither shown nor proved that both results agree")]
    AgreementUntold,
    /// Both are shown, and differ by more.
    #[error("the results differ by more than the policy allows")]
    Disagreement,
}

impl Unattested {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Nobody => "not-attested",
            Self::NotIndependent => "not-independent",
            Self::Attester => "attester",
            Self::Key => "attester-key",
            Self::OtherField => "attests-other-field",
            Self::FieldUntold => "attests-untold-field",
            Self::Sample => "attested-sample",
            Self::Accreditation(_) => "out-of-accreditation",
            Self::AgreementUntold => "agreement-untold",
            Self::Disagreement => "results-differ",
        }
    }
}

/// A buyer's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    issuers: Vec<Hash>,
    specifications: Vec<Hash>,
    own_limits: bool,
    demands: Vec<(String, Demand, Terms)>,
}

/// What a disclosure lacks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Shortfall {
    /// Issued by somebody whom the policy does not name: refuse.
    #[error("the issuer is not one that the policy names")]
    Issuer,
    /// A property is not told as the policy demands: ask for it.
    #[error("{property} is not {}", match demand { Demand::Shown => "shown", Demand::Proved => "proved", Demand::Attested => "attested" })]
    Property {
        /// The property, as the policy writes it.
        property: String,
        /// What it demands.
        demand: Demand,
    },
    /// A property is not attested as the policy demands: ask for an attestation, or for what it lacks.
    #[error("{property} is not attested: {why}")]
    Attestation {
        /// The property, as the policy writes it.
        property: String,
        /// Why nothing that is there will do.
        why: Unattested,
    },
    /// It attests another record, of which nothing is there: ask for that.
    #[error("it attests another record, of which no file is here")]
    Alone,
    /// Limits were proved, but not those of a specification that the policy names.
    #[error("limits are proved by a specification that the policy does not name")]
    Specification,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    issuers: Vec<String>,
    #[serde(default)]
    specifications: Vec<String>,
    #[serde(default)]
    own_limits: bool,
    #[serde(default)]
    require: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    property: String,
    r#as: Demand,
    attested_by: Option<Vec<String>>,
    accredited: Option<bool>,
    sample: Option<String>,
    within: Option<String>,
}

impl Row {
    fn read(self) -> Result<(String, Demand, Terms), PolicyError> {
        let Self { property, r#as: demand, attested_by, accredited, sample, within } = self;
        let some = attested_by.is_some() || accredited.is_some() || sample.is_some();
        if demand != Demand::Attested {
            let none = !some && within.is_none();
            return if none {
                Ok((property, demand, Terms::default()))
            } else {
                Err(PolicyError::Attestation)
            };
        }
        let mut terms = Terms { unaccredited: accredited == Some(false), ..Terms::default() };
        for name in attested_by.into_iter().flatten() {
            match (role_from_name(&name), name.parse()) {
                (Some(role), _) => terms.roles.push(role),
                (None, Ok(member)) => terms.members.push(member),
                (None, Err(_)) => return Err(PolicyError::Attestation),
            }
        }
        if sample.as_deref().is_some_and(|sample| sample != "heat" && sample != "product") {
            return Err(PolicyError::Attestation);
        }
        terms.sample = sample;
        let within = within.as_deref().map(Tolerance::parse).transpose();
        terms.within = within.map_err(|_| PolicyError::Attestation)?;
        Ok((property, demand, terms))
    }
}

impl Terms {
    /// Why an attestation will not do.
    fn refuse(&self, attested: &Attested<'_>, bundle: &Bundle<'_>) -> Result<(), Unattested> {
        let attester = &attested.issuer.member;
        let named = self.members.contains(&attester.0)
            || self.roles.iter().any(|role| attested.roles.contains(role))
            || (self.members.is_empty() && self.roles.is_empty());
        let confirmed = attested.how == How::Confirmed;
        let accredited = attested.accreditation == Accreditation::InForce || self.unaccredited;
        let of_sample = self.sample.as_deref();
        let lacks = match attested.bound {
            _ if !attested.independent => Unattested::NotIndependent,
            _ if !named => Unattested::Attester,
            _ if !attested.sound => Unattested::Key,
            Bound::Other => Unattested::OtherField,
            Bound::Untold if confirmed => Unattested::FieldUntold,
            _ if of_sample.is_some() && of_sample != attested.sample_type => Unattested::Sample,
            _ if !accredited => Unattested::Accreditation(attested.accreditation),
            _ => return self.agrees(attested, bundle),
        };
        Err(lacks)
    }

    fn agrees(&self, attested: &Attested<'_>, bundle: &Bundle<'_>) -> Result<(), Unattested> {
        let Some(within) = &self.within else { return Ok(()) };
        let proved = attested.agrees_within.is_some_and(|proved| proved.is_within(within));
        if attested.how == How::Confirmed || proved {
            return Ok(());
        }
        let (own, other) = bundle.both(attested).ok_or(Unattested::AgreementUntold)?;
        within.covers(own, other).map_err(|_| Unattested::Disagreement)
    }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong);
        }
        let document: Document =
            toml::from_str(text).map_err(|error| PolicyError::Text(error.message().to_owned()))?;
        if document.require.is_empty() {
            return Err(PolicyError::Count);
        }
        Self::read(document)
    }

    /// Reads the part of a longer document that is a policy about certificates; it may demand nothing of properties.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn of_table(table: toml::Table) -> Result<Self, PolicyError> {
        let document: Document = toml::Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| PolicyError::Text(error.message().to_owned()))?;
        Self::read(document)
    }

    /// Whether it is content with proofs of some property.
    #[must_use]
    pub fn takes_proofs(&self) -> bool {
        self.demands.iter().any(|(_, demand, _)| *demand == Demand::Proved)
    }

    fn read(document: Document) -> Result<Self, PolicyError> {
        if document.require.len() > MAX_DEMANDS {
            return Err(PolicyError::Count);
        }
        let ids = |texts: &[String]| {
            let ids: Result<Vec<Hash>, _> = texts.iter().map(|text| text.parse()).collect();
            ids.map_err(|_| PolicyError::Id)
        };
        let policy = Self {
            issuers: ids(&document.issuers)?,
            specifications: ids(&document.specifications)?,
            own_limits: document.own_limits,
            demands: document.require.into_iter().map(Row::read).collect::<Result<_, _>>()?,
        };
        if policy.takes_proofs() && policy.specifications.is_empty() && !policy.own_limits {
            return Err(PolicyError::NoSpecification);
        }
        Ok(policy)
    }

    /// What the files of a record lack by this policy; nothing when they have all.
    #[must_use]
    pub fn shortfalls(&self, bundle: &Bundle<'_>) -> Vec<Shortfall> {
        let told = Told {
            issuers: bundle.files().iter().map(|file| file.issuer.member.0).collect(),
            fields: bundle.fields().collect(),
            proved: bundle.files().iter().filter_map(|file| file.conformity).collect(),
            alone: bundle.is_attestation(),
        };
        self.lacking(&told, |property, terms| unattested(bundle, property, terms))
    }

    fn lacking(
        &self,
        told: &Told<'_>,
        unattested: impl Fn(&str, &Terms) -> Option<Unattested>,
    ) -> Vec<Shortfall> {
        let mut shortfalls = Vec::new();
        let named = |issuer: &Hash| self.issuers.contains(issuer);
        if !self.issuers.is_empty() && !told.issuers.iter().all(named) {
            shortfalls.push(Shortfall::Issuer);
        }
        if told.alone {
            shortfalls.push(Shortfall::Alone);
        }
        let accepted = |conformity: &&&Conformity| {
            let specification = &conformity.specification;
            self.specifications.contains(&specification.id())
                || (self.own_limits && specification.own_limits)
        };
        let accepted: Vec<_> = told.proved.iter().filter(accepted).collect();
        if !told.proved.is_empty() && accepted.is_empty() {
            shortfalls.push(Shortfall::Specification);
        }
        let kept = |property: &str| {
            let limits = accepted.iter().flat_map(|conformity| &conformity.limits);
            { limits }
                .any(|(name, standing)| *standing == Standing::Kept && matches(property, name))
        };
        for (property, demand, terms) in &self.demands {
            let is_told = match demand {
                Demand::Shown => shown(&told.fields, property),
                Demand::Proved => kept(property),
                Demand::Attested => {
                    let why = unattested(property, terms);
                    let property = property.clone();
                    shortfalls.extend(why.map(|why| Shortfall::Attestation { property, why }));
                    continue;
                }
            };
            if !is_told {
                let (property, demand) = (property.clone(), *demand);
                shortfalls.push(Shortfall::Property { property, demand });
            }
        }
        shortfalls
    }
}

/// What files tell of one record.
struct Told<'t> {
    issuers: Vec<Hash>,
    fields: Vec<(&'t Path, &'t Said)>,
    proved: Vec<&'t Conformity>,
    /// An attestation, without the record that it attests.
    alone: bool,
}

/// Why nothing that matches is attested as demanded: what came nearest lacked least.
fn unattested(bundle: &Bundle<'_>, property: &str, terms: &Terms) -> Option<Unattested> {
    let attested = bundle.attested();
    let mut nearest = Unattested::Nobody;
    for attested in attested.iter().filter(|attested| matches(property, attested.property)) {
        match terms.refuse(attested, bundle) {
            Ok(()) => return None,
            Err(why) => nearest = nearest.max(why),
        }
    }
    Some(nearest)
}

/// Whether something matching is shown, and nothing matching is there without its value.
fn shown(fields: &[(&Path, &Said)], property: &str) -> bool {
    let mut some = false;
    for (_, said) in fields.iter().filter(|(path, _)| matches(property, path.as_str())) {
        match said {
            Said::Shown { .. } => some = true,
            Said::Committed(_) => return false,
            Said::Absent => {}
        }
    }
    some
}
