//! Data identifiers of ASC MH10.8.2 (ISO/IEC 15418) that metal and its parts carry. Any other well-formed one is kept
//! under its own letters, since in a message a separator ends every element.

use super::{Means, Written};

/// A data identifier.
pub(crate) struct Data {
    identifier: &'static str,
    pub(crate) title: &'static str,
    pub(crate) means: Means,
}

const fn row(identifier: &'static str, means: Means, title: &'static str) -> Data {
    Data { identifier, title, means }
}

/// What an identifier means, when it is in the table.
pub(crate) fn find(identifier: &str) -> Option<&'static Data> {
    TABLE.iter().find(|row| row.identifier == identifier)
}

/// Splits an element into its identifier, up to three digits and a letter, and the rest.
pub(crate) fn split(element: &str) -> Option<(&str, &str)> {
    let letter = element.bytes().position(|byte| !byte.is_ascii_digit())?;
    if letter > 3 || !element.as_bytes().get(letter)?.is_ascii_uppercase() {
        return None;
    }
    element.split_at_checked(letter.checked_add(1)?)
}

const TABLE: &[Data] = &[
    row("12D", Means::Other, "date"),
    row("14D", Means::Expires(Written::YearFirst), "expiry"),
    row("15D", Means::Expires(Written::YearLast), "expiry"),
    row("16D", Means::Produced(Written::YearFirst), "produced"),
    row("17D", Means::Produced(Written::YearLast), "produced"),
    row("25D", Means::BestBefore(Written::YearFirst), "best before"),
    row("D", Means::Other, "date"),
    row("6D", Means::Other, "date with a qualifier"),
    row("1J", Means::Package, "package"),
    row("2J", Means::Package, "package"),
    row("3J", Means::Package, "package"),
    row("4J", Means::Package, "package"),
    row("5J", Means::Package, "package"),
    row("6J", Means::Package, "package"),
    row("J", Means::Package, "package"),
    row("1K", Means::Other, "order number of the supplier"),
    row("2K", Means::Other, "bill of lading or waybill"),
    row("4K", Means::OrderLine, "order line"),
    row("11K", Means::Other, "packing list"),
    row("K", Means::Order, "order number of the customer"),
    row("1L", Means::Other, "place"),
    row("4L", Means::Other, "country of origin"),
    row("1P", Means::Part, "part number of the supplier"),
    row("2P", Means::Other, "revision of the part"),
    row("30P", Means::PartByOther, "current part number"),
    row("P", Means::CustomerPart, "part number of the customer"),
    row("1Q", Means::Other, "theoretical length or weight"),
    row("2Q", Means::Other, "actual weight"),
    row("4Q", Means::Other, "gross amount"),
    row("5Q", Means::Other, "net amount"),
    row("7Q", Means::QuantityWithUnit, "quantity with unit"),
    row("Q", Means::Quantity, "quantity"),
    row("18S", Means::CageSerial, "CAGE code and serial"),
    row("1S", Means::Other, "further code of the supplier"),
    row("25S", Means::CompanySerial, "company and serial"),
    row("2S", Means::Other, "despatch advice"),
    row("3S", Means::Package, "package"),
    row("4S", Means::Package, "master package"),
    row("S", Means::Serial, "serial"),
    row("1T", Means::Lot, "lot of the supplier"),
    row("25T", Means::CompanyLot, "company and lot"),
    row("30T", Means::LotByOther, "further lot"),
    row("T", Means::LotByOther, "lot of the customer"),
    row("12V", Means::Duns, "DUNS number of the maker"),
    row("13V", Means::Duns, "DUNS number of the supplier"),
    row("17V", Means::Cage, "CAGE code"),
    row("18V", Means::Company, "company"),
    row("1V", Means::Other, "supplier by its own number"),
    row("3V", Means::CompanyPrefix, "GS1 company prefix"),
    row("V", Means::SupplierByCustomer, "supplier by the customer's number"),
    row("Z", Means::Other, "agreed between the parties"),
];
