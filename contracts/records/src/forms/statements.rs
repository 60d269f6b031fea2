//! What a certificate says under names of its own: pairs of key and value, attachments, and the concession under
//! which material outside its limits was delivered. Refuses attachments that have another hash than is stated.

use super::document;
use super::draft::{Draft, measured};
use super::fault::What;
use super::json::Json;
use super::measure::{extras, from_text};
use super::rules::join;
use crate::{Moment, Quantity, Value};

/// What a concession is called, in lower case, in the languages that the forms know.
const CONCESSION: [&str; 12] = [
    "concession",
    "konzession",
    "deviation permit",
    "production permit",
    "waiver",
    "sonderfreigabe",
    "sonderzulassung",
    "abweichungsgenehmigung",
    "abweichgenehmigung",
    "dérogation",
    "derogation",
    "concesión",
];

/// Keeps a concession's reference at `concession` when that is what a statement of the certificate is about. A
/// reference has a digit; "none" is no reference.
pub(super) fn concession(draft: &mut Draft, place: &str, about: &str, reference: &str) {
    let about = about.to_lowercase();
    let reference = reference.trim();
    if CONCESSION.iter().any(|word| about.contains(word))
        && reference.bytes().any(|b| b.is_ascii_digit())
    {
        let path = draft.unique("concession");
        draft.put(place, &path, Value::Text(reference.to_owned()));
    }
}

/// `{Key, Value, Type, Unit, …}` of EN 10168: a field of the certificate's own naming, typed by its `Type`.
pub(super) fn key_value(draft: &mut Draft, node: &Json, place: &str, path: &str) {
    let unit = node.text_at("Unit").unwrap_or_default();
    let at = join(place, "Value");
    match (node.text_at("Type").unwrap_or("string"), node.get("Value")) {
        (_, None | Some(Json::Null)) => {}
        ("number", Some(Json::Text(text))) => match from_text(text, unit) {
            Value::Text(_) => draft.fault(&at, What::NotANumberText),
            number => draft.put(&at, path, number),
        },
        ("date" | "date-time", Some(Json::Text(text))) => match Moment::new(text) {
            Ok(moment) => draft.put(&at, path, Value::Moment(moment)),
            Err(_) => draft.fault(&at, What::BadDate),
        },
        ("boolean", Some(Json::Text(text))) => match text.as_str() {
            "true" | "false" => {
                draft.put(&at, path, measured(unit, Quantity::Verdict(text == "true")))
            }
            _ => draft.fault(&at, What::NotABoolean),
        },
        (_, Some(Json::Text(text))) => draft.text(&at, path, text),
        (_, Some(_)) => draft.fault(&at, What::NotAText),
    }
    if let (Some(key), Some(reference)) = (node.text_at("Key"), node.text_at("Value")) {
        concession(draft, &at, key, reference);
    }
    let is_number = node.text_at("Type") == Some("number");
    let named = if is_number { &["Value", "Type", "Unit"][..] } else { &["Value", "Type"][..] };
    extras(draft, node, (place, path), named);
}

/// An attachment of EN 10168: the digest of its data, which must have the hash that is stated for it.
pub(super) fn attachment(draft: &mut Draft, node: &Json, place: &str, path: &str) {
    let media_type = node.text_at("MIME-Type").unwrap_or_default();
    let data = node.text_at("Data").unwrap_or_default();
    let is_base64 =
        node.text_at("Encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
    let document = match document::from_data_uri(data) {
        Some(document) => document,
        None if is_base64 => document::from_base64(data, media_type),
        None => Ok(document::from_bytes(data.as_bytes(), media_type)),
    };
    // The form means the document's hash; some issuers state that of the Base64 text.
    let encoded = document::from_bytes(data.as_bytes(), media_type);
    let has_stated_hash = |document| {
        [document, &encoded]
            .iter()
            .any(|hashed| document::has_stated_hash(hashed, node.get("Hash")))
    };
    match document {
        Ok(document) if has_stated_hash(&document) => {
            draft.put(place, path, Value::Document(document));
        }
        Ok(_) => draft.fault(&join(place, "Data"), What::WrongHash),
        Err(what) => draft.fault(&join(place, "Data"), what),
    }
    extras(draft, node, (place, path), &["Data"]);
}
