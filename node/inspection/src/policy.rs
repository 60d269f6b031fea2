//! What a receiver demands of a delivery, as a readable TOML file: all that `heatmark verify --policy` demands of certificates, and
//! besides where material comes from, which limits it keeps, how fresh the evidence is and how deep it goes. Refuses keys that it does
//! not know, so that a demand which is mistyped is not a demand that is met.

use heatmark_evidence::Policy;
use heatmark_evidence::capsule::{Acceptance, Claim, Depth, Limits, Mine};
use heatmark_ledger::ids::{MemberId, UnixMillis};
use heatmark_merkle::Hash;
use heatmark_records::conformance::agreement::Tolerance;
use heatmark_records::{Path, Specification};
use serde::Deserialize;
use toml::Value;

use crate::{InputError, tree};

/// Most entries of one list.
const MAX_ENTRIES: usize = 256;
/// What is demanded of certificates, as in the policy of disclosures.
const OF_CERTIFICATES: [&str; 4] = ["issuers", "specifications", "own_limits", "require"];
const HOUR_MS: u64 = 3_600_000;

/// Gives the text of a specification by the name that a policy has for it, or says why it cannot.
pub type Load<'l> = &'l mut dyn FnMut(&str) -> Result<String, String>;

/// A receiver's policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Demands {
    acceptance: Template,
    /// Properties that have to be measured at the dock.
    pub(crate) measure: Vec<Path>,
    /// By how much own readings and the certificate may differ, by pattern.
    pub(crate) within: Vec<(String, Tolerance)>,
}

/// What an acceptance has of a policy.
#[derive(Debug, Clone, PartialEq)]
struct Template {
    policy: Option<Policy>,
    claims: Vec<Claim>,
    limits: Vec<Limits>,
    disclosers: Vec<MemberId>,
    concerns: Vec<MemberId>,
    attested_by: Vec<MemberId>,
    depth: Depth,
    max_age_ms: u64,
    certified_permille: u32,
    gain_permille: u32,
    transcribed: bool,
    extended: bool,
    untold: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Document {
    origin: Origin,
    claim: Vec<ClaimRow>,
    limits: Vec<LimitsRow>,
    disclosers: Vec<String>,
    concerns: Vec<String>,
    attested_by: Vec<String>,
    depth: DepthWord,
    max_age_hours: Option<u32>,
    certified_permille: Option<u32>,
    gain_permille: Option<u32>,
    transcribed: bool,
    /// Whether working on material may make it last longer.
    extended: bool,
    /// Whether alerts on processes and descriptions need not be told.
    untold: bool,
    readings: Readings,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Origin {
    melt_country: Vec<String>,
    melt_shop: Vec<String>,
    smelter: Vec<String>,
    process: Vec<String>,
    remelt: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimRow {
    field: String,
    one_of: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsRow {
    specification: String,
    r#as: How,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum How {
    Shown,
    Proved,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum DepthWord {
    #[default]
    Lot,
    Batch,
    Item,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Readings {
    required: Vec<String>,
    within: Vec<WithinRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithinRow {
    property: String,
    tolerance: String,
}

impl Default for Demands {
    /// Sound evidence of certified material, a day old at most.
    fn default() -> Self {
        Self {
            acceptance: Template {
                policy: None,
                claims: Vec::new(),
                limits: Vec::new(),
                disclosers: Vec::new(),
                concerns: Vec::new(),
                attested_by: Vec::new(),
                depth: Depth::Lot,
                max_age_ms: HOUR_MS.saturating_mul(24),
                certified_permille: 1_000,
                gain_permille: 5,
                transcribed: false,
                extended: false,
                untold: false,
            },
            measure: Vec::new(),
            within: Vec::new(),
        }
    }
}

impl Demands {
    /// Reads a policy; `load` gives the specifications that it names by file.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn parse(bytes: &[u8], load: Load<'_>) -> Result<Self, InputError> {
        let Value::Table(mut own) = tree::table(bytes)? else { return Err(InputError::Empty) };
        let mut of_certificates = toml::Table::new();
        for key in OF_CERTIFICATES {
            of_certificates.extend(own.remove(key).map(|value| (key.to_owned(), value)));
        }
        let document: Document = Value::Table(own).try_into().map_err(tree::told)?;
        let mut specifications = Specifications { load, ids: Vec::new() };
        let limits = document.limits.iter().map(|row| specifications.limits(row));
        let limits = limits.collect::<Result<Vec<_>, _>>()?;
        let policy = specifications.policy(of_certificates)?;
        let standard = Self::default();
        let hours = document.max_age_hours.map(|hours| u64::from(hours).saturating_mul(HOUR_MS));
        let acceptance = Template {
            policy,
            claims: claims(&document)?,
            limits,
            disclosers: members("disclosers", &document.disclosers)?,
            concerns: members("concerns", &document.concerns)?,
            attested_by: members("attested_by", &document.attested_by)?,
            depth: match document.depth {
                DepthWord::Lot => Depth::Lot,
                DepthWord::Batch => Depth::Batch,
                DepthWord::Item => Depth::Item,
            },
            max_age_ms: hours.unwrap_or(standard.acceptance.max_age_ms),
            certified_permille: permille("certified_permille", document.certified_permille, 1_000)?,
            gain_permille: permille("gain_permille", document.gain_permille, 5)?,
            transcribed: document.transcribed,
            extended: document.extended,
            untold: document.untold,
        };
        let measure = document.readings.required.iter().map(|field| path(field));
        let within = document.readings.within.into_iter().map(|row| {
            let wrong = |text| quantity("readings.within", text, "tolerance, such as 0.5 %");
            let tolerance = Tolerance::parse(&row.tolerance).map_err(|_| wrong(&row.tolerance))?;
            Ok((row.property, tolerance))
        });
        Ok(Self {
            acceptance,
            measure: measure.collect::<Result<_, _>>()?,
            within: within.collect::<Result<_, InputError>>()?,
        })
    }

    /// What a lot has to meet, at a time, as it was received.
    #[must_use]
    pub fn acceptance(&self, now: UnixMillis, mine: Mine) -> Acceptance {
        let own = self.acceptance.clone();
        Acceptance {
            now,
            max_age_ms: own.max_age_ms,
            policy: own.policy,
            claims: own.claims,
            limits: own.limits,
            disclosers: own.disclosers,
            depth: own.depth,
            concerns: own.concerns,
            attested_by: own.attested_by,
            certified_permille: own.certified_permille,
            gain_permille: own.gain_permille,
            transcribed: own.transcribed,
            extended: own.extended,
            untold: own.untold,
            mine: Some(mine),
        }
    }

    /// Members whose concerns count: a capsule has to tell them.
    #[must_use]
    pub fn concerns(&self) -> &[MemberId] {
        &self.acceptance.concerns
    }

    /// The specifications whose limits count.
    pub(crate) fn specifications(&self) -> impl Iterator<Item = &Specification> {
        self.acceptance.limits.iter().map(|limits| &limits.specification)
    }

    /// The fields of certificates that it asks for by name, to ask a supplier for them.
    pub(crate) fn limits(&self) -> &[Limits] {
        &self.acceptance.limits
    }
}

struct Specifications<'l> {
    load: Load<'l>,
    /// Those whose proofs will do.
    ids: Vec<Hash>,
}

impl Specifications<'_> {
    fn named(&mut self, name: &str) -> Result<Specification, InputError> {
        let text =
            (self.load)(name).map_err(|why| InputError::Missing { name: name.to_owned(), why })?;
        Specification::parse(&text)
            .map_err(|fault| InputError::Specification { name: name.to_owned(), fault })
    }

    fn limits(&mut self, row: &LimitsRow) -> Result<Limits, InputError> {
        let specification = self.named(&row.specification)?;
        self.ids.push(specification.id());
        Ok(Limits { specification, shown: row.r#as == How::Shown })
    }

    /// The demands on certificates, with specifications by id, as that policy has them.
    fn policy(mut self, mut table: toml::Table) -> Result<Option<Policy>, InputError> {
        if table.is_empty() {
            return Ok(None);
        }
        if let Some(Value::Array(names)) = table.remove("specifications") {
            if names.len() > MAX_ENTRIES {
                return Err(InputError::TooMany(MAX_ENTRIES));
            }
            for name in names {
                let Value::String(name) = name else {
                    return Err(InputError::Policy(heatmark_evidence::PolicyError::Id));
                };
                let id = match name.parse::<Hash>() {
                    Ok(id) => id,
                    Err(_) => self.named(&name)?.id(),
                };
                self.ids.push(id);
            }
        }
        let ids = self.ids.iter().map(|id| Value::String(id.to_string())).collect();
        table.insert("specifications".to_owned(), Value::Array(ids));
        Ok(Some(Policy::of_table(table)?))
    }
}

fn claims(document: &Document) -> Result<Vec<Claim>, InputError> {
    let origin = &document.origin;
    let named = [
        ("melt/country", &origin.melt_country),
        ("melt/shop", &origin.melt_shop),
        ("melt/smelter", &origin.smelter),
        ("melt/process", &origin.process),
        ("melt/remelt", &origin.remelt),
    ];
    let rows = document.claim.iter().map(|row| (row.field.as_str(), &row.one_of));
    let all = named.into_iter().filter(|(_, one_of)| !one_of.is_empty()).chain(rows);
    let claims: Vec<Claim> = all
        .map(|(field, one_of)| Ok(Claim { path: path(field)?, one_of: one_of.clone() }))
        .collect::<Result<_, InputError>>()?;
    if claims.len() > MAX_ENTRIES { Err(InputError::TooMany(MAX_ENTRIES)) } else { Ok(claims) }
}

fn permille(place: &str, number: Option<u32>, standard: u32) -> Result<u32, InputError> {
    match number {
        Some(number) if number > 1_000 => {
            Err(quantity(place, &number.to_string(), "number of thousandths, 0 to 1000"))
        }
        number => Ok(number.unwrap_or(standard)),
    }
}

fn members(place: &'static str, ids: &[String]) -> Result<Vec<MemberId>, InputError> {
    if ids.len() > MAX_ENTRIES {
        return Err(InputError::TooMany(MAX_ENTRIES));
    }
    ids.iter().map(|id| id.parse().map_err(|_| InputError::Member(place))).collect()
}

pub(crate) fn path(field: &str) -> Result<Path, InputError> {
    Path::new(field).map_err(|_| InputError::Path(field.to_owned()))
}

pub(crate) fn quantity(place: &str, text: &str, what: &'static str) -> InputError {
    InputError::Quantity { place: place.to_owned(), text: text.to_owned(), what }
}

#[cfg(test)]
mod tests;
