//! Certificate files as mills have them, read into fields.
//!
//! ```text
//!  bytes ──json (exact, bounded)──▶ tree ──detect──▶ metals   ┐
//!                                                   en10168  ├─ rules: required, types, dates ─▶ faults, or
//!                                                            ┘  flatten: names, units, results ─▶ fields
//! ```
//!
//! Forms: Digital Material Passport `Metals` 0.1.x, `EN10168` 0.4.1 and 0.5.0, and our own, told apart by content. What a
//! certificate calls by its own name keeps its JSON path; heat, certificate, product, chemistry and the like have
//! one short path in every form. A file with faults is refused as a whole, every fault named.
//! Refuses more than 4 MiB, nesting above 64, more than 1,000 fields, and values that cannot be
//! (a content above 100 %, a minimum above its maximum, a day that does not exist), and results outside their own
//! limits without a concession. What a public form cannot say may stand beside the file. A file that attests another's
//! record has the fields of [`attestation`] besides.

pub mod attestation;
mod bounds;
mod document;
mod draft;
mod en10168;
mod fault;
pub mod inspection;
pub mod json;
mod limits;
mod measure;
mod metals;
mod origin;
mod own;
#[cfg(test)]
mod reading_tests;
mod rules;
mod statements;
#[cfg(test)]
mod tests;
mod units;

use std::fmt;

pub use attestation::{Accreditation, Attestation, Attests};
pub use fault::{Fault, What};
pub use json::{MAX_DEPTH, MAX_FILE_BYTES};
pub use origin::{NoOrigin, Origin, heat, origin, stated_mass};
pub use units::{mass_mg, milligrams, share_exponent};

use crate::{Fields, Value};
use draft::Draft;
use json::Json;

/// Longest text that may stand beside a certificate, in bytes.
pub const MAX_BESIDE_BYTES: usize = 64 << 10;
/// What the form of a record begins with when its issuer copied another company's certificate.
pub const TRANSCRIBED: &str = "transcribed ";
/// What the form of a record begins with when it attests somebody else's.
pub const ATTESTATION: &str = "attestation ";
/// What the form of a record begins with when it records an inspection.
pub const INSPECTION: &str = "inspection ";

/// A form of certificate, with its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Digital Material Passport `Metals`.
    Metals(String),
    /// `EN10168`.
    En10168(String),
    /// Our own.
    Heatmark,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metals(version) => write!(f, "Metals {version}"),
            Self::En10168(version) => write!(f, "EN10168 {version}"),
            Self::Heatmark => f.write_str("Heatmark 1"),
        }
    }
}

/// A certificate that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The form of the file.
    pub form: Form,
    /// Its fields.
    pub fields: Fields,
}

impl Certificate {
    /// The form as it stands in a record's head, which no verifier can be shown a field without: it begins with
    /// `transcribed ` when the certificate is another company's, with `attestation ` when it attests another's record, with
    /// `inspection ` when it records one.
    #[must_use]
    pub fn form_name(&self) -> String {
        if self.attests().is_some() {
            return format!("{ATTESTATION}{}", self.form);
        }
        if self.is_inspection() {
            return format!("{INSPECTION}{}", self.form);
        }
        match origin::field(&self.fields, "transcribed/from") {
            Some(_) => format!("{TRANSCRIBED}{}", self.form),
            None => self.form.to_string(),
        }
    }

    /// The id of the record that this one supersedes, in hex.
    #[must_use]
    pub fn supersedes(&self) -> Option<&str> {
        match origin::field(&self.fields, "certificate/supersedes") {
            Some(Value::Text(id)) => Some(id),
            _ => None,
        }
    }

    /// What it attests, where it is an attestation.
    #[must_use]
    pub fn attests(&self) -> Option<Attestation<'_>> {
        Attestation::of(self.fields.iter())
    }

    /// Whether it records an inspection.
    #[must_use]
    pub fn is_inspection(&self) -> bool {
        self.form == Form::Heatmark
            && origin::field(&self.fields, inspection::DISPOSITION).is_some()
    }

    /// What the certificate commissions.
    ///
    /// # Errors
    /// Why it commissions nothing.
    pub fn origin(&self) -> Result<Origin, NoOrigin> {
        origin(&self.fields)
    }
}

/// Reads a certificate file of any known form.
///
/// # Errors
/// Every fault that was found, in the order of the form's rules and then of the file; never an empty list.
pub fn read(bytes: &[u8]) -> Result<Certificate, Vec<Fault>> {
    read_with(bytes, b"")
}

/// Reads a certificate file together with what stands beside it: an object of our own form (JSON), or nothing. The
/// beside may add fields and repeat some, and contradicts none.
///
/// # Errors
/// As [`read`]; places in the beside begin with `beside`.
pub fn read_with(bytes: &[u8], beside: &[u8]) -> Result<Certificate, Vec<Fault>> {
    read_attesting(bytes, beside, None)
}

/// Reads a file, with what stands beside it, as an attestation of another's record.
///
/// # Errors
/// As [`read_with`].
pub fn read_attesting(
    bytes: &[u8],
    beside: &[u8],
    attests: Option<&Attests>,
) -> Result<Certificate, Vec<Fault>> {
    let file = json::parse(bytes).map_err(|fault| vec![fault])?;
    let (form, root, content) = detect(&file).map_err(|what| vec![Fault::new("", what)])?;
    let mut draft = Draft::new();
    match &form {
        Form::Metals(_) => metals::read(&mut draft, content),
        Form::En10168(_) => en10168::read(&mut draft, content),
        Form::Heatmark => own::read(&mut draft, content, ""),
    }
    let is_rest = |key: &str| form != Form::Heatmark && key != root && key != "RefSchemaUrl";
    for (key, value) in file.entries().iter().filter(|(key, _)| is_rest(key)) {
        draft.flatten(&[], value, key, key);
    }
    if !beside.is_empty() {
        let beside = parse_beside(beside).map_err(|fault| vec![fault])?;
        draft.begin_beside();
        own::read(&mut draft, &beside, "beside");
    }
    if let Some(attests) = attests {
        attestation::put(&mut draft, attests);
    }
    let attests = attestation::is_one(&draft);
    let inspects = form == Form::Heatmark && inspection::is_one(&draft);
    if form == Form::Heatmark {
        own::check_required(&mut draft, attests || inspects);
    }
    if inspects {
        inspection::check(&mut draft);
    }
    own::check_named(&mut draft);
    if attests {
        attestation::check(&mut draft);
    }
    draft.finish().map(|fields| Certificate { form, fields })
}

fn parse_beside(bytes: &[u8]) -> Result<Json, Fault> {
    let at =
        |place: &str| if place.is_empty() { "beside".into() } else { format!("beside: {place}") };
    if bytes.len() > MAX_BESIDE_BYTES {
        return Err(Fault::new("beside", What::TooLarge));
    }
    json::parse(bytes).map_err(|fault| Fault::new(&at(&fault.place), fault.what))
}

fn detect(file: &Json) -> Result<(Form, &'static str, &Json), What> {
    match file.get(own::MARK) {
        Some(Json::Text(version)) if version == "1" => {
            return Ok((Form::Heatmark, own::MARK, file));
        }
        Some(_) => return Err(What::UnknownVersion),
        None => {}
    }
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
