//! What identifiers mean: GS1 application identifiers, ASC MH10.8.2 data identifiers, ATA Spec 2000 text elements.

pub(crate) mod application;
pub(crate) mod data;
pub(crate) mod text;

/// What an element says of a lot or item, whatever its standard calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// Something that no verdict asks for; it stays among the elements.
    Other,
    Gtin,
    /// A lot by the number that its maker gave.
    Lot,
    /// A lot by a number that somebody else gave.
    LotByOther,
    Serial,
    /// A serial that somebody else gave, or that counts within a part number.
    SerialByOther,
    Part,
    /// A part number that is not the maker's first one.
    PartByOther,
    CustomerPart,
    Cage,
    Duns,
    CompanyPrefix,
    Gln,
    /// A company by the number that its customer gave.
    SupplierByCustomer,
    /// Issuing agency and company number.
    Company,
    /// CAGE code and serial.
    CageSerial,
    /// Issuing agency, company number and serial.
    CompanySerial,
    /// Issuing agency, company number and lot.
    CompanyLot,
    Package,
    Order,
    OrderLine,
    Pieces,
    /// Kilograms; the identifier's fourth digit counts decimals.
    Kilograms,
    /// Pounds; the identifier's fourth digit counts decimals.
    Pounds,
    /// A number without a unit.
    Quantity,
    /// A number with the two letters of its unit.
    QuantityWithUnit,
    Produced(Written),
    Packed(Written),
    BestBefore(Written),
    SellBy(Written),
    Expires(Written),
}

/// How a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// `YYMMDD`
    Six,
    /// `YYMMDDhhmm`
    SixAndTime,
    /// `YYYYMMDD`
    YearFirst,
    /// `DDMMYYYY`
    YearLast,
}
