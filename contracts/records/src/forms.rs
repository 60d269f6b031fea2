//! Certificate files as mills have them, read into fields.
//!
//! ```text
//!  bytes ──json (exact, bounded)──▶ tree ──detect──▶ metals   ┐
//!                                                   en10168  ├─ rules: required, types, dates ─▶ faults, or
//!                                                            ┘  flatten: names, units, results ─▶ fields
//! ```
//!
//! Forms: Digital Material Passport `Metals` 0.1.x, and `EN10168` 0.4.1 and 0.5.0, told apart by content. What a
//! certificate calls by its own name keeps its JSON path; heat, certificate, product, chemistry and the like have
//! one short path in every form. A file with faults is refused as a whole, every fault named.
//! Refuses more than 4 MiB, nesting above 64, more than 1,000 fields, and values that cannot be
//! (a content above 100 %, a minimum above its maximum, a day that does not exist).

mod document;
mod draft;
mod en10168;
mod fault;
mod json;
mod measure;
mod metals;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

pub use fault::{Fault, What};
pub use json::{MAX_DEPTH, MAX_FILE_BYTES};

use crate::Fields;
use draft::Draft;
use json::Json;

/// A form of certificate, with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Digital Material Passport `Metals`.
    Metals(String),
    /// `EN10168`.
    En10168(String),
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metals(version) => write!(f, "Metals {version}"),
            Self::En10168(version) => write!(f, "EN10168 {version}"),
        }
    }
}

/// A certificate that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its form; as text it is the form named in a record's head.
    pub form: Form,
    /// Its fields.
    pub fields: Fields,
}

/// Reads a certificate file of any known form.
///
/// # Errors
/// Every fault that was found, in the order of the form's rules and then of the file; never an empty list.
pub fn read(bytes: &[u8]) -> Result<Certificate, Vec<Fault>> {
    let file = json::parse(bytes).map_err(|fault| vec![fault])?;
    let (form, root, content) = detect(&file).map_err(|what| vec![Fault::new("", what)])?;
    let mut draft = Draft::new();
    match &form {
        Form::Metals(_) => metals::read(&mut draft, content),
        Form::En10168(_) => en10168::read(&mut draft, content),
    }
    for (key, value) in
        file.entries().iter().filter(|(key, _)| key != root && key != "RefSchemaUrl")
    {
        draft.flatten(&[], value, key, key);
    }
    draft.finish().map(|fields| Certificate { form, fields })
}

fn detect(file: &Json) -> Result<(Form, &'static str, &Json), What> {
    let metals = file.get("DigitalMaterialPassport");
    let en10168 = file.get("Certificate");
    let stated = file.get("RefSchemaUrl").and_then(Json::text);
    let (family, version) = match stated {
        Some(url) => schema_of(url).ok_or(What::UnknownForm)?,
        None if metals.is_some() => ("metals-schemas", "0.1.1".to_owned()),
        None if en10168.is_some() => ("en10168-schemas", "0.5.0".to_owned()),
        None => return Err(What::UnknownForm),
    };
    match (family, metals, en10168) {
        ("metals-schemas", Some(content), None) if version.starts_with("0.1.") => {
            Ok((Form::Metals(version), "DigitalMaterialPassport", content))
        }
        ("en10168-schemas", None, Some(content)) if version == "0.4.1" || version == "0.5.0" => {
            Ok((Form::En10168(version), "Certificate", content))
        }
        ("metals-schemas", Some(_), None) | ("en10168-schemas", None, Some(_)) => {
            Err(What::UnknownVersion)
        }
        _ => Err(What::UnknownForm),
    }
}

/// Family and version of a schema's address: `https://…/metals-schemas/v0.1.1/schema.json`.
fn schema_of(url: &str) -> Option<(&str, String)> {
    let mut parts = url.rsplit('/');
    let _file = parts.next()?;
    let version = parts.next()?;
    let family = parts.next()?;
    let version = version.strip_prefix('v').unwrap_or(version);
    let numbers = version
        .split('.')
        .filter(|n| !n.is_empty() && n.len() <= 4 && n.bytes().all(|b| b.is_ascii_digit()));
    (numbers.count() == 3 && version.split('.').count() == 3).then(|| (family, version.to_owned()))
}
