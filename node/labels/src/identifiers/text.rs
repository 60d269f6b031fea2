//! Text elements of ATA Spec 2000, chapter 9, as parts carry them and MIL-STD-130 lists them. Any other well-formed
//! one is kept under its own letters.

use super::Means;

/// A text element identifier.
pub(crate) struct Text {
    identifier: &'static str,
    pub(crate) title: &'static str,
    pub(crate) means: Means,
}

const fn row(identifier: &'static str, means: Means, title: &'static str) -> Text {
    Text { identifier, title, means }
}

/// What an identifier means, when it is in the table.
pub(crate) fn find(identifier: &str) -> Option<&'static Text> {
    TABLE.iter().find(|row| row.identifier == identifier)
}

/// Splits an element into its identifier, a letter and two letters or digits, and what follows the blank.
pub(crate) fn split(element: &str) -> Option<(&str, &str)> {
    let (identifier, rest) = element.split_at_checked(3)?;
    let formed = identifier.starts_with(|first: char| first.is_ascii_uppercase())
        && identifier.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let value = rest.strip_prefix(' ')?.trim();
    (formed && !value.is_empty()).then_some((identifier, value))
}

const TABLE: &[Text] = &[
    row("ASN", Means::CustomerPart, "airline stock number"),
    row("BTN", Means::Lot, "lot"),
    row("CAG", Means::Cage, "CAGE code"),
    row("DMF", Means::Other, "date of manufacture"),
    row("DUN", Means::Duns, "DUNS number"),
    row("EUC", Means::CompanyPrefix, "GS1 company prefix"),
    row("EXP", Means::Other, "expiry"),
    row("LOT", Means::Lot, "lot"),
    row("LTN", Means::Lot, "lot"),
    row("MFR", Means::Cage, "CAGE code of the maker"),
    row("OPN", Means::PartByOther, "overlength part number"),
    row("PDT", Means::Other, "description of the part"),
    row("PML", Means::Other, "modification level"),
    row("PNO", Means::PartByOther, "original part number"),
    row("PNR", Means::Part, "part number"),
    row("SEQ", Means::SerialByOther, "serial within the part number"),
    row("SER", Means::Serial, "serial"),
    row("SPL", Means::Cage, "CAGE code of the supplier"),
    row("UCN", Means::SerialByOther, "serial given by a later holder"),
    row("UID", Means::CompanySerial, "company and serial"),
    row("USN", Means::CageSerial, "CAGE code and serial"),
    row("UST", Means::Other, "CAGE code and serial given by a later holder"),
];
