//! Specifications: the limits that a grade, a condition and a product have to keep, as a readable TOML text. The text
//! itself is what a proof is bound to, so that both sides read the same limits. Refuses keys it does not know, limits
//! that limit nothing, a minimum above its maximum, and formulas that are not linear.
//! Specification: `proto/README.md` section 9.

mod formula;
#[cfg(test)]
mod tests;

pub(crate) use formula::greatest_common_divisor;
pub use formula::{Combination, Ratio};

use heatmark_merkle::{Hash, tag};
use serde::Deserialize;
use std::collections::BTreeSet;
use thiserror::Error;

use crate::{Decimal, Fields, Measured, Opening, Path, Quantity, RecordError, Relation, Value};

/// Longest text of a specification, in bytes.
pub const MAX_SPECIFICATION_BYTES: usize = 64 << 10;
/// Most limits of a specification.
pub const MAX_LIMITS: usize = 256;
const MAX_WORDS_BYTES: usize = 512;

/// Why a text is no specification. The writer's fault; the message names the limit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecificationError {
    /// Longer than any specification.
    #[error("a specification has at most {MAX_SPECIFICATION_BYTES} bytes")]
    TooLong,
    /// Not the TOML that is expected: mend the line that is named.
    #[error("{0}")]
    Text(String),
    /// One of its limits is none.
    #[error("limit {name}: {fault}")]
    Limit {
        /// The limit's name, or its number.
        name: String,
        /// What is wrong with it.
        fault: LimitFault,
    },
    /// It has no limit, or too many.
    #[error("a specification has 1 to {MAX_LIMITS} limits")]
    Count,
    /// `used_by` holds something else than member ids.
    #[error("used_by lists member ids, 64 hex digits each")]
    UsedBy,
    /// A text in it is too long or not printable.
    #[error("the texts in it are printable and have at most {MAX_WORDS_BYTES} bytes")]
    Words,
}

/// What is wrong with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LimitFault {
    /// It needs exactly one of `property` and `formula`.
    #[error("give either a property or a formula")]
    Subject,
    /// A formula needs a name.
    #[error("a formula needs a name")]
    Unnamed,
    /// Neither a minimum nor a maximum.
    #[error("give a minimum, a maximum or both")]
    Nothing,
    /// The minimum is above the maximum.
    #[error("the minimum is above the maximum")]
    Empty,
    /// A number is none.
    #[error("a number is not a decimal in quotes")]
    Number,
    /// A tolerance is negative, or widens a limit that is not there.
    #[error("a tolerance is not negative, and widens a limit that is there")]
    Tolerance,
    /// The property is no path.
    #[error("the property is no path")]
    Path,
    /// The formula is not linear, or cannot be read.
    #[error("the formula is not linear in what it names, or cannot be read")]
    Formula,
    /// Two limits have one name.
    #[error("the name stands twice")]
    Twice,
}

/// What was tested: the melt, or the product itself, whose limits are wider by the tolerances for check analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sample {
    /// Heat (ladle, cast) analysis.
    Heat,
    /// Product (check) analysis.
    Product,
}

/// How a result is compared with a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Rounding {
    /// As it stands (the absolute method of ASTM E29).
    #[serde(rename = "absolute")]
    Absolute,
    /// Rounded to the limit's last place first, half to even (the rounding method of ASTM E29).
    #[serde(rename = "astm-e29")]
    AstmE29,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name: the property's path, or the formula's name.
    pub name: String,
    /// What is limited.
    pub of: Combination,
    /// The unit of the limit's numbers.
    pub unit: String,
    /// Lower limit, tolerance included.
    pub minimum: Option<Decimal>,
    /// Upper limit, tolerance included.
    pub maximum: Option<Decimal>,
    /// Whether a record may leave the property out.
    pub optional: bool,
}

/// A specification, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Specification {
    text: String,
    /// What it is called: standard, revision, grade.
    pub title: String,
    /// What was tested.
    pub sample: Sample,
    /// How results are compared.
    pub rounding: Rounding,
    /// The members that may use it; nobody named: anybody.
    pub used_by: Vec<[u8; 32]>,
    /// Whether its limits are the certificate's own, to be compared with what the record shows of them.
    pub own_limits: bool,
    /// The limits, in the order of the text.
    pub limits: Vec<Limit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    standard: String,
    #[serde(default)]
    revision: String,
    #[serde(default)]
    grade: String,
    #[serde(default)]
    designation: String,
    #[serde(default)]
    product: String,
    #[serde(default)]
    size: String,
    #[serde(default)]
    condition: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    note: String,
    sample: Sample,
    rounding: Rounding,
    #[serde(default)]
    used_by: Vec<String>,
    #[serde(default)]
    own_limits: bool,
    #[serde(default)]
    limit: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    property: Option<String>,
    formula: Option<String>,
    name: Option<String>,
    #[serde(default)]
    unit: String,
    minimum: Option<String>,
    maximum: Option<String>,
    under: Option<String>,
    over: Option<String>,
    #[serde(default)]
    optional: bool,
}

impl Specification {
    /// Reads a specification.
    ///
    /// # Errors
    /// [`SpecificationError`], naming the limit that is wrong.
    pub fn parse(text: &str) -> Result<Self, SpecificationError> {
        if text.len() > MAX_SPECIFICATION_BYTES {
            return Err(SpecificationError::TooLong);
        }
        let document: Document = toml::from_str(text)
            .map_err(|error| SpecificationError::Text(error.message().to_owned()))?;
        if document.limit.is_empty() || document.limit.len() > MAX_LIMITS {
            return Err(SpecificationError::Count);
        }
        document.check_words()?;
        let used_by = document.used_by.iter().map(|id| id.parse::<Hash>().map(|hash| hash.0));
        let used_by =
            used_by.collect::<Result<Vec<_>, _>>().map_err(|_| SpecificationError::UsedBy)?;
        let mut limits = Vec::with_capacity(document.limit.len());
        let mut names = BTreeSet::new();
        for (number, row) in document.limit.iter().enumerate() {
            let name = row.name.clone().or_else(|| row.property.clone());
            let of_limit = |fault| {
                let name = name.clone().unwrap_or_else(|| number.saturating_add(1).to_string());
                SpecificationError::Limit { name, fault }
            };
            let limit = row.read(document.sample).map_err(of_limit)?;
            if !names.insert(limit.name.clone()) {
                return Err(of_limit(LimitFault::Twice));
            }
            limits.push(limit);
        }
        Ok(Self {
            title: document.title(),
            sample: document.sample,
            rounding: document.rounding,
            used_by,
            own_limits: document.own_limits,
            limits,
            text: text.to_owned(),
        })
    }

    /// The limits that a certificate itself gives, as a specification: for every result, what stands at its
    /// `…/minimum` and `…/maximum`. Limits that do not belong to what they limit (`<`, `>`) are left out. None when
    /// there are none, or too many.
    #[must_use]
    pub fn own_limits_of(opening: &Opening) -> Option<Self> {
        let fields = opening.fields();
        let mut text = String::from(
            "standard = \"the certificate's own limits\"\nsample = \"heat\"\nrounding = \"absolute\"\nown_limits = true\n",
        );
        let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let mut some = false;
        for (path, value) in fields.iter() {
            if value.numbers().is_empty() {
                continue;
            }
            let limit = |name: &str| own_limit(fields, path, name);
            let (minimum, maximum) = (limit("minimum"), limit("maximum"));
            let one_unit = |(_, unit): &(Decimal, String)| {
                [&minimum, &maximum].into_iter().flatten().all(|(_, other)| other == unit)
            };
            let Some((_, unit)) = minimum.as_ref().or(maximum.as_ref()).filter(|l| one_unit(l))
            else {
                continue;
            };
            text.push_str(&format!(
                "\n[[limit]]\nproperty = {}\nunit = {}\n",
                quoted(path.as_str()),
                quoted(unit)
            ));
            for (name, limit) in [("minimum", &minimum), ("maximum", &maximum)] {
                if let Some((number, _)) = limit {
                    text.push_str(&format!("{name} = \"{number}\"\n"));
                }
            }
            some = true;
        }
        some.then(|| Self::parse(&text).ok()).flatten()
    }

    /// Limits that are not from a text of the usual kind; `text` says all of them, and is what a proof is bound to.
    pub(crate) const fn of_limits(text: String, limits: Vec<Limit>) -> Self {
        Self {
            text,
            title: String::new(),
            sample: Sample::Heat,
            rounding: Rounding::Absolute,
            used_by: Vec::new(),
            own_limits: false,
            limits,
        }
    }

    /// The exact text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `H("specification", text)`: what a policy names it by.
    #[must_use]
    pub fn id(&self) -> Hash {
        tag::hash("specification", &[self.text.as_bytes()])
    }

    /// Whether a member may use it.
    #[must_use]
    pub fn may_be_used_by(&self, member: &[u8; 32]) -> bool {
        self.used_by.is_empty() || self.used_by.contains(member)
    }

    /// The same specification with one limit alone, to say what is wrong with each.
    pub(crate) fn only(&self, limit: &Limit) -> Self {
        Self { limits: vec![limit.clone()], ..self.clone() }
    }

    /// Every path that a limit speaks of, ascending.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<Path> {
        self.limits.iter().flat_map(|limit| limit.of.paths().cloned()).collect()
    }
}

impl Document {
    fn check_words(&self) -> Result<(), SpecificationError> {
        let own = [
            &self.standard,
            &self.revision,
            &self.grade,
            &self.designation,
            &self.product,
            &self.size,
            &self.condition,
            &self.source,
            &self.note,
        ];
        let of_limits = self.limit.iter().flat_map(|row| [row.name.as_ref(), Some(&row.unit)]);
        let fits =
            |text: &String| text.len() <= MAX_WORDS_BYTES && !text.chars().any(char::is_control);
        if own.into_iter().chain(of_limits.flatten()).all(fits) {
            Ok(())
        } else {
            Err(SpecificationError::Words)
        }
    }

    fn title(&self) -> String {
        let parts = [
            &self.standard,
            &self.revision,
            &self.grade,
            &self.designation,
            &self.product,
            &self.size,
            &self.condition,
        ];
        let told: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        told.join(", ")
    }
}

impl Row {
    fn read(&self, sample: Sample) -> Result<Limit, LimitFault> {
        let (of, name) = match (&self.property, &self.formula) {
            (Some(property), None) => {
                let path = Path::new(property).map_err(|_| LimitFault::Path)?;
                (Combination::single(path), self.name.as_ref().unwrap_or(property))
            }
            (None, Some(formula)) => {
                let of = Combination::parse(formula).ok_or(LimitFault::Formula)?;
                (of, self.name.as_ref().ok_or(LimitFault::Unnamed)?)
            }
            _ => return Err(LimitFault::Subject),
        };
        let (minimum, maximum) = (number(&self.minimum)?, number(&self.maximum)?);
        if minimum.is_none() && maximum.is_none() {
            return Err(LimitFault::Nothing);
        }
        if let (Some(minimum), Some(maximum)) = (&minimum, &maximum)
            && minimum.cmp_quantity(maximum).is_gt()
        {
            return Err(LimitFault::Empty);
        }
        let (under, over) = (number(&self.under)?, number(&self.over)?);
        let negative = [&under, &over].into_iter().flatten().any(|by| by.mantissa() < 0);
        let lonely =
            (under.is_some() && minimum.is_none()) || (over.is_some() && maximum.is_none());
        if negative || lonely {
            return Err(LimitFault::Tolerance);
        }
        let widened = |limit: Option<Decimal>, by: Option<Decimal>, down: bool| match (limit, by) {
            (Some(limit), Some(by)) if sample == Sample::Product => {
                limit.moved(&by, down).map(Some).map_err(|_| LimitFault::Number)
            }
            _ => Ok(limit),
        };
        Ok(Limit {
            name: name.clone(),
            of,
            unit: self.unit.clone(),
            minimum: widened(minimum, under, true)?,
            maximum: widened(maximum, over, false)?,
            optional: self.optional,
        })
    }
}

/// A limit that a certificate gives beside a result.
fn own_limit(fields: &Fields, path: &Path, name: &str) -> Option<(Decimal, String)> {
    let path = Path::new(&format!("{path}/{name}")).ok()?;
    let Value::Measured(Measured { unit, quantity: Quantity::Number(relation, number) }) =
        fields.get(&path)?
    else {
        return None;
    };
    let strict = matches!(relation, Relation::Less | Relation::Greater);
    (!strict).then(|| (*number, unit.clone()))
}

fn number(text: &Option<String>) -> Result<Option<Decimal>, LimitFault> {
    let read = text.as_deref().map(Decimal::parse).transpose();
    read.map_err(|_: RecordError| LimitFault::Number)
}
