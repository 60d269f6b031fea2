//! `EN10168`, versions 0.4.1 and 0.5.0: members are the codes of EN 10168 (A01 the manufacturer, C71 a content),
//! contents are numbers written as text. Rules after its JSON Schema, and the short paths of its codes.

use super::draft::{Draft, Names, segment};
use super::fault::What;
use super::json::Json;
use super::measure::{self, Measurement, Of};
use super::rules::Kind::{Country, Date, Items, Number, Object, Objects, Positive, Text, Texts};
use super::rules::Need::{May, Must};
use super::rules::{self, Rule, join};
use super::statements;
use super::units::{Family, family};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    ("CertificateLanguages", Must, Items),
    ("CommercialTransaction", Must, Object),
    ("CommercialTransaction/A01", Must, Object),
    ("CommercialTransaction/A01/Street", Must, Texts), ("CommercialTransaction/A01/ZipCode", Must, Text),
    ("CommercialTransaction/A01/City", Must, Text), ("CommercialTransaction/A01/Country", Must, Country),
    ("CommercialTransaction/A02", Must, Text), ("CommercialTransaction/A03", Must, Text),
    ("CommercialTransaction/A04", Must, Text), ("CommercialTransaction/A05", Must, Text),
    ("CommercialTransaction/A06/Country", Must, Country), ("CommercialTransaction/A06.1/Country", Must, Country),
    ("CommercialTransaction/A07", Must, Text), ("CommercialTransaction/A97", May, Text),
    ("ProductDescription", Must, Object),
    ("ProductDescription/B01", Must, Text),
    ("ProductDescription/B07", May, Texts), ("ProductDescription/B08", May, Number),
    ("ProductDescription/B10/Value", Must, Number), ("ProductDescription/B11/Value", Must, Number),
    ("ProductDescription/B12/Value", Must, Number), ("ProductDescription/B13/Value", Must, Positive),
    ("Inspection", May, Objects),
    ("Validation", Must, Object),
    ("Validation/Z01", Must, Text), ("Validation/Z02", Must, Date),
    ("Validation/Z04/CE_Image", Must, Text), ("Validation/Z04/NotifiedBodyNumber", Must, Text),
    ("Attachments/*/Hash", Must, Object), ("Attachments/*/FileName", Must, Text), ("Attachments/*/Data", Must, Text),
];

#[rustfmt::skip]
const NAMES: Names = &[
    ("CertificateLanguages", "certificate/languages"),
    ("CommercialTransaction/A01", "manufacturer"),
    ("CommercialTransaction/A01/Name", "manufacturer/name"),
    ("CommercialTransaction/A01/CompanyName", "manufacturer/name"),
    ("CommercialTransaction/A01/Country", "manufacturer/country"),
    ("CommercialTransaction/A02", "certificate/type"), ("CommercialTransaction/A03", "certificate/number"),
    ("CommercialTransaction/A04", "manufacturer/logo"), ("CommercialTransaction/A05", "certificate/originator"),
    ("CommercialTransaction/A06", "customer"), ("CommercialTransaction/A06.1", "customer"),
    ("CommercialTransaction/A06/Name", "customer/name"), ("CommercialTransaction/A06.1/Name", "customer/name"),
    ("CommercialTransaction/A06/CompanyName", "customer/name"),
    ("CommercialTransaction/A06.1/CompanyName", "customer/name"),
    ("CommercialTransaction/A06/Country", "customer/country"),
    ("CommercialTransaction/A06.1/Country", "customer/country"),
    ("CommercialTransaction/A06.2", "consignee"), ("CommercialTransaction/A06.3", "certificate-receiver"),
    ("CommercialTransaction/A06.4", "subcustomer"),
    ("CommercialTransaction/A07", "order/number"), ("CommercialTransaction/A08", "order/works-number"),
    ("CommercialTransaction/A09", "order/article"), ("CommercialTransaction/A97", "order/position"),
    ("CommercialTransaction/A98", "delivery/number"), ("CommercialTransaction/A96", "delivery/position"),
    ("CommercialTransaction/A99", "delivery/advice"),
    ("ProductDescription/B01", "product/name"), ("ProductDescription/B02", "product/standard"),
    ("ProductDescription/B02/SteelDesignation", "product/designation"),
    ("ProductDescription/B04", "product/condition"), ("ProductDescription/B06", "product/marking"),
    ("ProductDescription/B07", "product/batch"), ("ProductDescription/B08", "product/pieces"),
    ("ProductDescription/B09", "product/shape"), ("ProductDescription/B10", "product/length"),
    ("ProductDescription/B12", "product/mass/theoretical"), ("ProductDescription/B13", "product/mass"),
    ("Validation", "validation"), ("Validation/Z01", "validation/statement"),
    ("Validation/Z02", "certificate/issued"), ("Validation/Z03", "validation/person"),
    ("Validation/Z04", "validation/ce-marking"),
];

/// Tests with results of their own: section, code, path.
#[rustfmt::skip]
const TESTS: &[(&str, &str, &str)] = &[
    ("TensileTest", "C11", "mechanical/Re"), ("TensileTest", "C12", "mechanical/Rm"),
    ("TensileTest", "C13", "mechanical/A"),
    ("HardnessTest", "C31", "mechanical/hardness"), ("HardnessTest", "C32", "mechanical/hardness/mean"),
    ("NotchedBarImpactTest", "C42", "mechanical/KV"), ("NotchedBarImpactTest", "C43", "mechanical/KV/mean"),
    ("NotchedBarImpactTest", "C41", "mechanical/KV/width"),
];

const DIMENSIONS: &[&str] = &["B10", "B11", "B12", "B13"];

pub(super) fn read(draft: &mut Draft, content: &Json) {
    rules::check(draft, RULES, content);
    named_company(draft, content);
    customer(draft, content);
    for (key, value) in content.entries() {
        match (key.as_str(), value) {
            ("Inspection", Json::List(items)) => {
                for (index, item) in items.iter().enumerate() {
                    inspection(draft, item, &join("Inspection", &index.to_string()));
                }
            }
            ("Inspection", one) => inspection(draft, one, "Inspection"),
            ("ProductDescription", product) => product_description(draft, product),
            ("Attachments", list) => {
                for (index, item) in list.items().iter().enumerate() {
                    let index = index.to_string();
                    statements::attachment(
                        draft,
                        item,
                        &join(key, &index),
                        &join("attachment", &index),
                    );
                }
            }
            _ => member(draft, key, value, ("", "")),
        }
    }
}

/// Version 0.4.1 calls the name `CompanyName`, or `Name`; 0.5.0 only the latter.
fn named_company(draft: &mut Draft, content: &Json) {
    let Some(manufacturer) = content.get("CommercialTransaction").and_then(|t| t.get("A01")) else {
        return;
    };
    let has = |name| manufacturer.text_at(name).is_some_and(|text| !text.trim().is_empty());
    if !has("Name") && !has("CompanyName") {
        draft.fault("CommercialTransaction/A01/Name", What::Missing);
    }
}

/// The purchaser is A06, or A06.1 where the others are named one by one.
fn customer(draft: &mut Draft, content: &Json) {
    let Some(transaction @ Json::Object(_)) = content.get("CommercialTransaction") else { return };
    if transaction.get("A06").is_none() && transaction.get("A06.1").is_none() {
        draft.fault("CommercialTransaction/A06", What::Missing);
    }
}

fn member(draft: &mut Draft, key: &str, value: &Json, (place, path): (&str, &str)) {
    let place = join(place, key);
    match (NAMES.iter().find(|(at, _)| *at == place), segment(key)) {
        (Some((_, name)), _) => draft.flatten(NAMES, value, &place, name),
        (None, Some(segment)) => draft.flatten(NAMES, value, &place, &join(path, &segment)),
        (None, None) => draft.fault(&place, What::Field(crate::RecordError::BadPath)),
    }
}

fn product_description(draft: &mut Draft, product: &Json) {
    for (key, value) in product.entries() {
        let place = join("ProductDescription", key);
        if DIMENSIONS.contains(&key.as_str()) && matches!(value, Json::Object(_)) {
            let name =
                NAMES.iter().find(|(at, _)| *at == place).map(|(_, name)| (*name).to_owned());
            let path = name.unwrap_or_else(|| place.clone());
            let unit = value.text_at("Unit").unwrap_or_default();
            if key == "B13" && family(unit) != Some(Family::Mass) {
                draft.fault(&join(&place, "Unit"), What::NoMassUnit);
            }
            measurement(draft, value, (&place, &path));
        } else {
            member(draft, key, value, ("ProductDescription", "ProductDescription"));
        }
    }
}

fn inspection(draft: &mut Draft, inspection: &Json, place: &str) {
    for (key, value) in inspection.entries() {
        let at = join(place, key);
        match (key.as_str(), value) {
            ("C00", Json::Text(heat)) => {
                let path = draft.unique("heat");
                draft.text(&at, &path, heat);
            }
            ("ChemicalComposition", composition) => chemistry(draft, composition, &at),
            ("TensileTest" | "HardnessTest" | "NotchedBarImpactTest", test) => {
                results(draft, test, (key, &at))
            }
            _ => member(draft, key, value, (place, place)),
        }
    }
}

fn chemistry(draft: &mut Draft, composition: &Json, place: &str) {
    for (key, node) in composition.entries() {
        let at = join(place, key);
        match (key.as_str(), node) {
            ("C70", Json::Text(process)) => {
                let path = draft.unique("melt/process");
                draft.text(&at, &path, process);
            }
            ("SupplementaryInformation", _) => member(draft, key, node, (place, place)),
            (_, Json::Object(_)) => {
                let symbol =
                    node.text_at("Symbol").map(str::trim).filter(|symbol| !symbol.is_empty());
                let Some(name) = symbol.and_then(segment) else {
                    draft.fault(&at, What::NoSymbol);
                    continue;
                };
                not_a_bare_number(draft, node, &at);
                let path = draft.unique(&join("chemistry", &name));
                let of = if node.get("Formula").is_some() { Of::Property } else { Of::Content };
                Measurement {
                    node,
                    place: &at,
                    path: &path,
                    of,
                    actual: "Actual",
                    named_by: &["Symbol"],
                }
                .read(draft);
            }
            _ => draft.fault(&at, What::NotAnObject),
        }
    }
}

/// Contents are written as text in both versions, so that no digit is lost on the way.
fn not_a_bare_number(draft: &mut Draft, node: &Json, place: &str) {
    for name in ["Actual", "Minimum", "Maximum"] {
        if matches!(node.get(name), Some(Json::Number(_))) {
            draft.fault(&join(place, name), What::NotANumberText);
        }
    }
}

fn results(draft: &mut Draft, test: &Json, (section, place): (&str, &str)) {
    for (key, node) in test.entries() {
        let at = join(place, key);
        let known = TESTS.iter().find(|(of, code, _)| *of == section && code == key);
        match (known, node) {
            (Some((_, _, name)), Json::Object(_)) => {
                let path = draft.unique(name);
                measurement(draft, node, (&at, &path));
            }
            (Some((_, _, name)), Json::List(items)) => {
                let path = draft.unique(name);
                measure::list(draft, items, (&at, &path));
            }
            _ => member(draft, key, node, (place, place)),
        }
    }
}

fn measurement(draft: &mut Draft, node: &Json, (place, path): (&str, &str)) {
    Measurement { node, place, path, of: Of::Property, actual: "Value", named_by: &[] }.read(draft);
}
