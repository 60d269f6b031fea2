//! Digital Material Passport `Metals`, version 0.1.x: rules after its JSON Schema, and the short paths of its members.

use super::draft::{Draft, Names, segment};
use super::fault::What;
use super::json::Json;
use super::measure::{Measurement, Of};
use super::rules::Kind::{Country, Date, Items, List, Number, Object, Positive, Text};
use super::rules::Need::{May, Must};
use super::rules::{self, Rule, join};
use super::statements;
use super::units::{Family, family};

#[rustfmt::skip]
const RULES: &[Rule] = &[
    ("Id", Must, Text), ("Version", Must, Text), ("Languages", Must, Items),
    ("IssueDate", Must, Date), ("ExpirationDate", May, Date),
    ("TransactionData", Must, Object),
    ("TransactionData/Parties", Must, Object),
    ("TransactionData/Parties/Manufacturer", Must, Object),
    ("TransactionData/Parties/Manufacturer/Name", Must, Text),
    ("TransactionData/Parties/Manufacturer/Street", Must, Items),
    ("TransactionData/Parties/Manufacturer/ZipCode", Must, Text),
    ("TransactionData/Parties/Manufacturer/City", Must, Text),
    ("TransactionData/Parties/Manufacturer/Country", Must, Country),
    ("TransactionData/Parties/Customer", Must, Object),
    ("TransactionData/Parties/Customer/Name", Must, Text),
    ("TransactionData/Parties/Customer/Street", Must, Items),
    ("TransactionData/Parties/Customer/ZipCode", Must, Text),
    ("TransactionData/Parties/Customer/City", Must, Text),
    ("TransactionData/Parties/Customer/Country", Must, Country),
    ("TransactionData/BusinessTransaction", Must, Object),
    ("TransactionData/BusinessTransaction/Order", Must, Object),
    ("TransactionData/BusinessTransaction/Order/Id", Must, Text),
    ("TransactionData/BusinessTransaction/Order/Date", May, Date),
    ("TransactionData/BusinessTransaction/Order/Quantity", May, Number),
    ("TransactionData/BusinessTransaction/Delivery", Must, Object),
    ("TransactionData/BusinessTransaction/Delivery/Id", Must, Text),
    ("TransactionData/BusinessTransaction/Delivery/Quantity", Must, Number),
    ("TransactionData/BusinessTransaction/Delivery/QuantityUnit", Must, Text),
    ("TransactionData/BusinessTransaction/Delivery/Date", May, Date),
    ("TransactionData/BusinessTransaction/Contract/Id", Must, Text),
    ("TransactionData/BusinessTransaction/Contract/Date", May, Date),
    ("Product", Must, Object),
    ("Product/Name", Must, Text), ("Product/BatchId", Must, Text),
    ("Product/CountryOfOrigin", May, Country), ("Product/ProductionDate", May, Date),
    ("Product/Quantity", May, Positive), ("Product/Weight", May, Positive), ("Product/WeightUnit", May, Text),
    ("Product/ProductNorms/*/Standard", Must, Text),
    ("Product/MaterialNorms/*/Standard", Must, Text),
    ("Product/MaterialDesignations/*/Name/Value", Must, Text),
    ("Product/MaterialDesignations/*/Number/Value", Must, Text),
    ("Product/Shape", May, Object),
    ("Product/Shape/Form", Must, Text), ("Product/Shape/Unit", Must, Text),
    ("Product/Shape/Length", May, Positive), ("Product/Shape/Width", May, Positive),
    ("Product/Shape/Thickness", May, Positive), ("Product/Shape/Diameter", May, Positive),
    ("Product/Shape/OuterDiameter", May, Positive), ("Product/Shape/InnerDiameter", May, Positive),
    ("Product/Shape/WallThickness", May, Positive), ("Product/Shape/Height", May, Positive),
    ("Product/SpecificationReference/Name", Must, Text), ("Product/SpecificationReference/Revision", Must, Text),
    ("Product/SpecificationReference/RevisionDate", May, Date),
    ("HeatTreatment", May, Object),
    ("HeatTreatment/Process", Must, Text), ("HeatTreatment/HeatTreatmentLot", Must, Text),
    ("HeatTreatment/Stages", Must, Items),
    ("HeatTreatment/Stages/*/StageType", Must, Text),
    ("HeatTreatment/Stages/*/Temperature", Must, Number),
    ("HeatTreatment/Stages/*/TemperatureUnit", Must, Text),
    ("HeatTreatment/Stages/*/Duration", May, Positive),
    ("HeatTreatment/ProcessDate", May, Date),
    ("ChemicalAnalysis", May, Object),
    ("ChemicalAnalysis/HeatNumber", May, Text), ("ChemicalAnalysis/CastNumber", May, Text),
    ("ChemicalAnalysis/Elements", Must, Items),
    ("ChemicalAnalysis/CastingDate", May, Date),
    ("MechanicalProperties", May, List), ("PhysicalProperties", May, List), ("SupplementaryTests", May, List),
    ("Validation", Must, Object),
    ("Validation/ValidationStatement", Must, Object),
    ("Validation/ValidationStatement/Statement", Must, Text),
    ("Validation/ValidationDate", Must, Date),
    ("Validation/Validators", Must, Items),
    ("Validation/Validators/*/Name", Must, Text), ("Validation/Validators/*/Title", Must, Text),
    ("Validation/CertificateType/Standard", Must, Text),
    ("Validation/CEMarking/NotifiedBodyNumber", Must, Text),
    ("Validation/OtherMarkings/*/MarkingType", Must, Text),
    ("Validation/OtherMarkings/*/IssueDate", May, Date), ("Validation/OtherMarkings/*/ExpiryDate", May, Date),
];

#[rustfmt::skip]
const NAMES: Names = &[
    ("Id", "certificate/number"), ("Version", "certificate/version"), ("IssueDate", "certificate/issued"),
    ("ExpirationDate", "certificate/expires"), ("Languages", "certificate/languages"),
    ("Validation/CertificateType", "certificate/type"), ("Validation", "validation"),
    ("Validation/ValidationStatement/Statement", "validation/statement"),
    ("Validation/ValidationDate", "validation/date"),
    ("TransactionData/Parties/Manufacturer", "manufacturer"), ("TransactionData/Parties/Customer", "customer"),
    ("TransactionData/Parties/Manufacturer/Name", "manufacturer/name"),
    ("TransactionData/Parties/Manufacturer/Country", "manufacturer/country"),
    ("TransactionData/Parties/Customer/Name", "customer/name"),
    ("TransactionData/Parties/Customer/Country", "customer/country"),
    ("TransactionData/BusinessTransaction/Order", "order"),
    ("TransactionData/BusinessTransaction/Order/Id", "order/number"),
    ("TransactionData/BusinessTransaction/Delivery", "delivery"),
    ("TransactionData/BusinessTransaction/Delivery/Id", "delivery/number"),
    ("Product", "product"), ("Product/Name", "product/name"), ("Product/BatchId", "product/batch"),
    ("Product/Weight", "product/mass"), ("Product/Quantity", "product/pieces"), ("Product/Shape", "product/shape"),
    ("Product/CountryOfOrigin", "product/country"), ("Product/ProductionDate", "product/date"),
    ("Product/Marking", "product/marking"), ("Product/ProductNorms", "product/standard"),
    ("Product/MaterialNorms", "product/material-standard"),
    ("Product/MaterialDesignations", "product/designation"),
    ("Product/CountryOfMeltAndPour", "melt/country"),
    ("ChemicalAnalysis/HeatNumber", "heat"), ("ChemicalAnalysis/MeltingProcess", "melt/process"),
    ("ChemicalAnalysis/CastingDate", "melt/date"), ("ChemicalAnalysis", "chemical-analysis"),
    ("HeatTreatment", "heat-treatment"),
];

const RESULTS: &[(&str, &str, Of)] = &[
    ("MechanicalProperties", "mechanical", Of::Property),
    ("PhysicalProperties", "physical", Of::Property),
    ("SupplementaryTests", "tests", Of::Property),
];

pub(super) fn read(draft: &mut Draft, content: &Json) {
    rules::check(draft, RULES, content);
    heat(draft, content);
    if let Some(elements) =
        content.get("ChemicalAnalysis").and_then(|analysis| analysis.get("Elements"))
    {
        results(draft, elements, "ChemicalAnalysis/Elements", ("chemistry", Of::Content));
    }
    for (section, name, of) in RESULTS {
        if let Some(list) = content.get(section) {
            results(draft, list, section, (name, *of));
        }
    }
    let done = |key: &str| RESULTS.iter().any(|(section, ..)| *section == key);
    concessions(draft, content);
    mass_unit(draft, content);
    let rest = content.entries().iter().filter(|(key, _)| !done(key)).map(prepared);
    draft.flatten(NAMES, &Json::Object(rest.collect()), "", "");
}

/// Light metals have a cast number in place of a heat number. An analysis without either can be published.
fn heat(draft: &mut Draft, content: &Json) {
    let Some(analysis) = content.get("ChemicalAnalysis") else { return };
    let stated = |name| analysis.text_at(name).map(str::trim).filter(|text| !text.is_empty());
    if let (None, Some(cast)) = (stated("HeatNumber"), stated("CastNumber")) {
        draft.text("ChemicalAnalysis/CastNumber", "heat", cast);
    }
}

/// A section as it is flattened: elements are read by themselves, an empty heat number is none, and kilograms are
/// what the form means where no unit of weight stands.
fn prepared((key, value): &(String, Json)) -> (String, Json) {
    let blank = |value: &Json| value.text().is_some_and(|text| text.trim().is_empty());
    let kept = |(name, value): &&(String, Json)| {
        name != "Elements" && !(name == "HeatNumber" && blank(value))
    };
    let value = match value {
        Json::Object(entries) if key == "ChemicalAnalysis" => {
            Json::Object(entries.iter().filter(kept).cloned().collect())
        }
        Json::Object(entries) if key == "Product" && has_bare_weight(value) => {
            let mut entries = entries.clone();
            entries.push(("WeightUnit".to_owned(), Json::Text("kg".to_owned())));
            Json::Object(entries)
        }
        _ => value.clone(),
    };
    (key.clone(), value)
}

fn has_bare_weight(product: &Json) -> bool {
    matches!(product.get("Weight"), Some(Json::Number(_))) && product.get("WeightUnit").is_none()
}

fn mass_unit(draft: &mut Draft, content: &Json) {
    let product = content.get("Product");
    let unit = product
        .filter(|product| product.get("Weight").is_some())
        .and_then(|product| product.get("WeightUnit"));
    if let Some(Json::Text(unit)) = unit
        && family(unit) != Some(Family::Mass)
    {
        draft.fault("Product/WeightUnit", What::NoMassUnit);
    }
}

/// The form has no place for a concession but the statements that its issuer confirms one by one.
fn concessions(draft: &mut Draft, content: &Json) {
    let place = "Validation/ValidationStatement/IndividualStatements";
    let list = place.split('/').try_fold(content, |node, step| node.get(step));
    for (index, statement) in list.map(Json::items).unwrap_or_default().iter().enumerate() {
        let confirmed = statement.get("Confirmed").and_then(|result| result.get("Value"));
        if confirmed != Some(&Json::Boolean(true)) {
            continue;
        }
        let text = |name| statement.text_at(name).unwrap_or_default();
        let about = [text("StatementId"), text("StatementText")].join(" ");
        let has_digit = |text: &&str| text.bytes().any(|b| b.is_ascii_digit());
        let reference = [text("RegulatoryReference"), text("StatementText"), text("StatementId")]
            .into_iter()
            .find(has_digit);
        let place = join(place, &index.to_string());
        statements::concession(draft, &place, &about, reference.unwrap_or_default());
    }
}

fn results(draft: &mut Draft, list: &Json, section: &str, (name, of): (&str, Of)) {
    for (index, node) in list.items().iter().enumerate() {
        let place = join(section, &index.to_string());
        if !matches!(node, Json::Object(_)) {
            draft.fault(&place, What::NotAnObject);
            continue;
        }
        let is_named = |key: &&str| node.text_at(key).is_some_and(|text| !text.trim().is_empty());
        let named_by = ["PropertySymbol", "PropertyName", "PropertyId"].into_iter().find(is_named);
        if named_by.is_none() && of == Of::Content {
            draft.fault(&place, What::NoSymbol);
        }
        let called =
            named_by.and_then(|key| node.text_at(key)).and_then(|text| segment(text.trim()));
        let path = draft.unique(&join(name, &called.unwrap_or_else(|| index.to_string())));
        // A formula's value is no share of the material.
        let of = if node.get("Formula").is_some() { Of::Property } else { of };
        let named_by = named_by.as_slice();
        Measurement { node, place: &place, path: &path, of, actual: "Actual", named_by }
            .read(draft);
    }
}
