//! What a buyer demands of a disclosure, property by property: `shown`, the value itself, as a 3.1 certificate has it, or
//! `proved`, that it keeps the limits of a specification that the buyer named. A proof never takes the place of a value
//! that was demanded. Refuses policies that demand nothing. Specification: `proto/README.md` section 9.

use heatmark_merkle::Hash;
use heatmark_records::conformance::Standing;
use heatmark_records::{Path, Said};
use serde::Deserialize;
use thiserror::Error;

use crate::selection::matches;
use crate::{Conformity, Verified};

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
}

/// How much of a property has to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Demand {
    /// The value itself.
    Shown,
    /// That it keeps its limits; the value itself is welcome too, where the limits were proved all the same.
    Proved,
}

/// A buyer's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    issuers: Vec<Hash>,
    specifications: Vec<Hash>,
    own_limits: bool,
    demands: Vec<(String, Demand)>,
}

/// What a disclosure lacks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Shortfall {
    /// Issued by somebody whom the policy does not name: refuse.
    #[error("the issuer is not one that the policy names")]
    Issuer,
    /// A property is not told as the policy demands: ask for it.
    #[error("{property} is not {}", match demand { Demand::Shown => "shown", Demand::Proved => "proved" })]
    Property {
        /// The property, as the policy writes it.
        property: String,
        /// What it demands.
        demand: Demand,
    },
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
        if document.require.is_empty() || document.require.len() > MAX_DEMANDS {
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
            demands: document.require.into_iter().map(|row| (row.property, row.r#as)).collect(),
        };
        let proofs_will_do = policy.demands.iter().any(|(_, demand)| *demand == Demand::Proved);
        if proofs_will_do && policy.specifications.is_empty() && !policy.own_limits {
            return Err(PolicyError::NoSpecification);
        }
        Ok(policy)
    }

    /// What a disclosure lacks by this policy; nothing when it has all.
    #[must_use]
    pub fn shortfalls(&self, verified: &Verified) -> Vec<Shortfall> {
        let conformity = verified.conformity.as_ref();
        self.shortfalls_of(&verified.issuer.member.0, &verified.fields, conformity)
    }

    /// What is told of a record, by whom issued, compared with what is demanded.
    pub(crate) fn shortfalls_of(
        &self,
        issuer: &Hash,
        fields: &[(Path, Said)],
        conformity: Option<&Conformity>,
    ) -> Vec<Shortfall> {
        let mut shortfalls = Vec::new();
        if !self.issuers.is_empty() && !self.issuers.contains(issuer) {
            shortfalls.push(Shortfall::Issuer);
        }
        let accepted = conformity.filter(|conformity| {
            let specification = &conformity.specification;
            self.specifications.contains(&specification.id())
                || (self.own_limits && specification.own_limits)
        });
        if conformity.is_some() && accepted.is_none() {
            shortfalls.push(Shortfall::Specification);
        }
        for (property, demand) in &self.demands {
            let told = match demand {
                Demand::Shown => shown(fields, property),
                Demand::Proved => accepted.is_some_and(|conformity| {
                    let kept = |(name, standing): &(String, Standing)| {
                        *standing == Standing::Kept && matches(property, name)
                    };
                    conformity.limits.iter().any(kept)
                }),
            };
            if !told {
                let (property, demand) = (property.clone(), *demand);
                shortfalls.push(Shortfall::Property { property, demand });
            }
        }
        shortfalls
    }
}

/// Whether something matching is shown, and nothing matching is there without its value.
fn shown(fields: &[(Path, Said)], property: &str) -> bool {
    let mut some = false;
    for (_, said) in matching(fields, property) {
        match said {
            Said::Shown { .. } => some = true,
            Said::Committed(_) => return false,
            Said::Absent => {}
        }
    }
    some
}

fn matching<'a>(
    fields: &'a [(Path, Said)],
    property: &'a str,
) -> impl Iterator<Item = &'a (Path, Said)> {
    fields.iter().filter(move |(path, _)| matches(property, path.as_str()))
}
