//! An order line as an ERP gives it, TOML or JSON: what was ordered, of which specification, in which condition and size, how much.
//! Refuses keys that it does not know, and quantities that cannot be compared.

use heatmark_records::specification::Combination;
use heatmark_records::{Decimal, Limit, Path};
use serde::Deserialize;

use crate::policy::{path, quantity as wrong};
use crate::tree::Word;
use crate::{InputError, quantity, tree};

const MAX_ROWS: usize = 256;

/// An order line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Order {
    /// Its number.
    pub number: String,
    /// The line.
    pub line: String,
    /// What was ordered, as the supplier calls it.
    pub product: Option<String>,
    /// Standard and grade.
    pub specification: Option<String>,
    /// Which edition of it.
    pub revision: Option<String>,
    /// Heat treatment, surface and the like.
    pub condition: Option<String>,
    /// Least and most mass of the delivery, in milligrams.
    pub mass_mg: Option<(u64, u64)>,
    /// How many pieces.
    pub pieces: Option<u64>,
    /// Sizes that have to be told.
    pub(crate) dimensions: Vec<Limit>,
    /// Limits that own readings have to keep.
    pub(crate) limits: Vec<Limit>,
    /// Where suppliers write things, beside the usual places.
    pub(crate) fields: Places,
}

/// Patterns of fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Places {
    pub(crate) product: Vec<String>,
    pub(crate) specification: Vec<String>,
    pub(crate) condition: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    number: Word,
    line: Option<Word>,
    product: Option<Word>,
    specification: Option<Word>,
    revision: Option<Word>,
    condition: Option<Word>,
    mass: Option<Word>,
    mass_tolerance: Option<Word>,
    pieces: Option<Word>,
    #[serde(default)]
    dimension: Vec<Dimension>,
    #[serde(default)]
    limit: Vec<Row>,
    #[serde(default)]
    fields: Places,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dimension {
    field: String,
    nominal: Option<Word>,
    tolerance: Option<Word>,
    minimum: Option<Word>,
    maximum: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    property: String,
    minimum: Option<Word>,
    maximum: Option<Word>,
}

impl Order {
    /// Reads an order line.
    ///
    /// # Errors
    /// [`InputError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InputError> {
        let document: Document = tree::read(bytes)?;
        if document.dimension.len() > MAX_ROWS || document.limit.len() > MAX_ROWS {
            return Err(InputError::TooMany(MAX_ROWS));
        }
        let word = |word: &Option<Word>| {
            word.as_ref().map(Word::text).filter(|text: &String| !text.is_empty())
        };
        let pieces = word(&document.pieces);
        let count = |text: String| {
            text.parse().map_err(|_| wrong("pieces", &text, "whole number of pieces"))
        };
        let dimensions = document.dimension.iter().map(Dimension::limit);
        let limits = document.limit.iter().map(|row| {
            let bounds = (number(&row.minimum)?, number(&row.maximum)?);
            limit(path(&row.property)?, bounds)
        });
        Ok(Self {
            number: document.number.text(),
            line: word(&document.line).unwrap_or_default(),
            product: word(&document.product),
            specification: word(&document.specification),
            revision: word(&document.revision),
            condition: word(&document.condition),
            mass_mg: mass(word(&document.mass), word(&document.mass_tolerance))?,
            pieces: pieces.map(count).transpose()?,
            dimensions: dimensions.collect::<Result<_, _>>()?,
            limits: limits.collect::<Result<_, _>>()?,
            fields: document.fields,
        })
    }

    /// What people call it.
    #[must_use]
    pub fn title(&self) -> String {
        if self.line.is_empty() {
            return self.number.clone();
        }
        format!("{} line {}", self.number, self.line)
    }
}

fn mass(mass: Option<String>, tolerance: Option<String>) -> Result<Option<(u64, u64)>, InputError> {
    let Some(mass) = mass else {
        return match tolerance {
            None => Ok(None),
            Some(text) => Err(wrong("mass_tolerance", &text, "tolerance of a mass that is given")),
        };
    };
    let what = "mass in t, kg, g, mg or lb";
    let mass_mg = quantity::mass_mg(&mass).ok_or_else(|| wrong("mass", &mass, what))?;
    let by = match &tolerance {
        None => 0,
        Some(text) => quantity::tolerance_mg(text, mass_mg)
            .ok_or_else(|| wrong("mass_tolerance", text, "mass, nor a share such as 0.5 %"))?,
    };
    Ok(Some((mass_mg.saturating_sub(by), mass_mg.saturating_add(by))))
}

/// A number with its unit.
type Bound = (Decimal, String);

fn number(word: &Option<Word>) -> Result<Option<Bound>, InputError> {
    let Some(text) = word.as_ref().map(Word::text) else { return Ok(None) };
    let (digits, unit) = quantity::split(&text);
    match Decimal::parse(digits) {
        Ok(number) => Ok(Some((number, unit.to_owned()))),
        Err(_) => Err(wrong("limit", &text, "number with its unit, such as 400.5 mm")),
    }
}

fn limit(path: Path, bounds: (Option<Bound>, Option<Bound>)) -> Result<Limit, InputError> {
    let name = path.to_string();
    let unit = match &bounds {
        (Some((_, one)), Some((_, other))) if one != other => None,
        (Some((_, unit)), _) | (None, Some((_, unit))) => Some(unit.clone()),
        (None, None) => None,
    };
    let unit =
        unit.ok_or_else(|| wrong(&name, "", "limit: give minimum or maximum in one unit"))?;
    let (minimum, maximum) =
        (bounds.0.map(|(number, _)| number), bounds.1.map(|(number, _)| number));
    if let (Some(minimum), Some(maximum)) = (&minimum, &maximum)
        && minimum.cmp_quantity(maximum).is_gt()
    {
        return Err(wrong(&name, &minimum.to_string(), "minimum: it is above the maximum"));
    }
    Ok(Limit { name, of: Combination::single(path), unit, minimum, maximum, optional: false })
}

impl Dimension {
    /// From the least to the most that the size may be.
    fn limit(&self) -> Result<Limit, InputError> {
        let path = path(&self.field)?;
        let (nominal, tolerance) = (number(&self.nominal)?, number(&self.tolerance)?);
        let bounds = (number(&self.minimum)?, number(&self.maximum)?);
        let bad = |what| wrong(&self.field, "", what);
        let Some((nominal, unit)) = nominal else {
            return match tolerance {
                None => limit(path, bounds),
                Some(_) => Err(bad("tolerance: give the nominal size as well")),
            };
        };
        if bounds != (None, None) {
            return Err(bad("size: give either nominal and tolerance, or minimum and maximum"));
        }
        let (by, of) = match tolerance {
            None => (Decimal::new(0, 0).map_err(|_| bad("size"))?, unit.clone()),
            Some(tolerance) => tolerance,
        };
        if of != unit || by.mantissa() < 0 {
            return Err(bad("tolerance: give it in the unit of the size, not below zero"));
        }
        let moved = |down| nominal.moved(&by, down).map_err(|_| bad("size"));
        limit(path, (Some((moved(true)?, unit.clone())), Some((moved(false)?, unit.clone()))))
    }
}

#[cfg(test)]
mod tests;
