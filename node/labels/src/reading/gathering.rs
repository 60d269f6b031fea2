//! Elements into a reading: each goes to what it names, and a label that names two different things for one is refused.

use super::{Amount, Date, DateKind, Element, Reading, Scheme, Supplier, Unit};
use crate::error::{ScanError, Wrong};
use crate::identifiers::{Means, Written};
use crate::value;

/// Gathers elements into a reading.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    reading: Reading,
    lot_by_other: Option<String>,
    serial_by_other: Option<String>,
    part_by_other: Option<String>,
    year: u16,
}

impl Gathering {
    pub(crate) fn new(year: u16) -> Self {
        Self { year, ..Self::default() }
    }

    /// Adds an element whose form was checked.
    pub(crate) fn add(&mut self, element: Element, means: Means) -> Result<(), ScanError> {
        let known = self.reading.elements.contains(&element);
        if !known {
            self.name(&element, means)?;
            self.reading.elements.push(element);
        }
        Ok(())
    }

    /// Whether this identifier stands already with another value.
    pub(crate) fn holds_other(&self, identifier: &str, value: &str) -> bool {
        let other = |earlier: &Element| earlier.identifier == identifier && earlier.value != value;
        self.reading.elements.iter().any(other)
    }

    /// What was gathered; where the maker gave no number, another's stands in.
    pub(crate) fn finish(self) -> Reading {
        let mut reading = self.reading;
        reading.lot = reading.lot.or(self.lot_by_other);
        reading.serial = reading.serial.or(self.serial_by_other);
        reading.part_number = reading.part_number.or(self.part_by_other);
        reading
    }

    fn name(&mut self, element: &Element, means: Means) -> Result<(), ScanError> {
        let Element { identifier, value, .. } = element;
        let wrong =
            |what| ScanError::Value { identifier: identifier.clone(), title: element.title, what };
        let reading = &mut self.reading;
        match means {
            Means::Other => Ok(()),
            Means::Gtin => once(&mut reading.gtin, value, "articles"),
            Means::Lot => once(&mut reading.lot, value, "lots"),
            Means::LotByOther => once(&mut self.lot_by_other, value, "lots"),
            Means::Serial => once(&mut reading.serial, value, "serials"),
            Means::SerialByOther => once(&mut self.serial_by_other, value, "serials"),
            Means::Part => once(&mut reading.part_number, value, "part numbers"),
            Means::PartByOther => once(&mut self.part_by_other, value, "part numbers"),
            Means::CustomerPart => {
                once(&mut reading.customer_part_number, value, "part numbers of the customer")
            }
            Means::Package => once(&mut reading.package, value, "packages"),
            Means::Order => once(&mut reading.order, value, "orders"),
            Means::OrderLine => once(&mut reading.order_line, value, "order lines"),
            Means::Cage | Means::Duns | Means::CompanyPrefix | Means::Gln => {
                reading.suppliers.push(company(means, value).map_err(wrong)?);
                Ok(())
            }
            Means::SupplierByCustomer => {
                let number = value.clone();
                reading.suppliers.push(Supplier { scheme: Scheme::Customer, number });
                Ok(())
            }
            Means::Company | Means::CageSerial | Means::CompanySerial | Means::CompanyLot => {
                self.company_and_more(value, means, wrong)
            }
            Means::Pieces
            | Means::Kilograms
            | Means::Pounds
            | Means::Quantity
            | Means::QuantityWithUnit => {
                reading.amounts.push(amount(means, identifier, value).map_err(wrong)?);
                Ok(())
            }
            Means::Produced(written) => self.date(DateKind::Produced, written, value, wrong),
            Means::Packed(written) => self.date(DateKind::Packed, written, value, wrong),
            Means::BestBefore(written) => self.date(DateKind::BestBefore, written, value, wrong),
            Means::SellBy(written) => self.date(DateKind::SellBy, written, value, wrong),
            Means::Expires(written) => self.date(DateKind::Expires, written, value, wrong),
        }
    }

    fn date(
        &mut self,
        kind: DateKind,
        written: Written,
        text: &str,
        wrong: impl Fn(Wrong) -> ScanError,
    ) -> Result<(), ScanError> {
        let read = || match written {
            Written::Six => {
                value::six_digit_day(text, self.year).map(|(day, whole)| (day, None, whole))
            }
            Written::SixAndTime => {
                let (day, time) = text.split_at_checked(6).ok_or(Wrong::Day)?;
                let (day, whole) = value::six_digit_day(day, self.year)?;
                Ok((day, Some(value::minute_of_day(time)?), whole))
            }
            Written::YearFirst => value::eight_digit_day(text, true).map(|day| (day, None, false)),
            Written::YearLast => value::eight_digit_day(text, false).map(|day| (day, None, false)),
        };
        let (day, minute, whole_month) = read().map_err(wrong)?;
        self.reading.dates.push(Date { kind, day, minute, whole_month });
        Ok(())
    }

    /// A company's number with a serial or a lot behind it. Where agencies' numbers have no fixed length the whole is
    /// the serial or lot, and no company is named.
    fn company_and_more(
        &mut self,
        value: &str,
        means: Means,
        wrong: impl Fn(Wrong) -> ScanError,
    ) -> Result<(), ScanError> {
        let split = match means {
            Means::CageSerial => {
                value.split_at_checked(5).map(|(own, rest)| (Means::Cage, own, rest))
            }
            _ => agency(value),
        };
        let Some((scheme, number, rest)) = split else {
            return match means {
                Means::CageSerial => Err(wrong(Wrong::Length)),
                Means::Company => {
                    let number = value.to_owned();
                    self.reading.suppliers.push(Supplier { scheme: Scheme::Agency, number });
                    Ok(())
                }
                Means::CompanyLot => once(&mut self.reading.lot, value, "lots"),
                _ => once(&mut self.reading.serial, value, "serials"),
            };
        };
        let company = company(scheme, number).map_err(&wrong)?;
        if !self.reading.suppliers.contains(&company) {
            self.reading.suppliers.push(company);
        }
        match (means, rest) {
            (Means::Company, "") => Ok(()),
            (Means::Company, _) | (_, "") => Err(wrong(Wrong::Length)),
            (Means::CompanyLot, lot) => once(&mut self.reading.lot, lot, "lots"),
            (_, serial) => once(&mut self.reading.serial, serial, "serials"),
        }
    }
}

fn once(slot: &mut Option<String>, value: &str, what: &'static str) -> Result<(), ScanError> {
    match slot {
        Some(earlier) if earlier != value => Err(ScanError::Contradicts(what)),
        _ => {
            *slot = Some(value.to_owned());
            Ok(())
        }
    }
}

/// Issuing agencies whose numbers have a length of their own: Dun & Bradstreet's nine digits, NATO's five characters.
fn agency(value: &str) -> Option<(Means, &str, &str)> {
    let (means, length, rest) = match (value.strip_prefix("UN"), value.strip_prefix('D')) {
        (Some(rest), _) => (Means::Duns, 9, rest),
        (None, Some(rest)) => (Means::Cage, 5, rest),
        (None, None) => return None,
    };
    let (number, rest) = rest.split_at_checked(length)?;
    Some((means, number, rest))
}

fn company(means: Means, number: &str) -> Result<Supplier, Wrong> {
    let capital = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    let (scheme, right) = match means {
        Means::Cage => (Scheme::Cage, number.len() == 5 && number.bytes().all(capital)),
        Means::Duns => (Scheme::Duns, number.len() == 9 && value::is_digits(number)),
        Means::CompanyPrefix => {
            let length = (4..=12).contains(&number.len());
            (Scheme::CompanyPrefix, length && value::is_digits(number))
        }
        _ => (Scheme::Gln, number.len() == 13),
    };
    right.then(|| Supplier { scheme, number: number.to_owned() }).ok_or(Wrong::Company)
}

fn amount(means: Means, identifier: &str, value: &str) -> Result<Amount, Wrong> {
    let (number, unit) = match means {
        Means::Kilograms => (value, Unit::Kilogram),
        Means::Pounds => (value, Unit::Pound),
        Means::Pieces => (value, Unit::Piece),
        Means::QuantityWithUnit => {
            let at = value.len().saturating_sub(2);
            let (number, unit) = value.split_at_checked(at).ok_or(Wrong::Amount)?;
            (number, unit_of(unit).ok_or(Wrong::Amount)?)
        }
        _ => (value, Unit::Unstated),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = if number.contains('.') { fraction } else { "" };
    let formed = value::is_digits(whole) && (fraction.is_empty() || value::is_digits(fraction));
    if !formed || fraction.len() > 6 || number.ends_with('.') {
        return Err(Wrong::Amount);
    }
    let stated = match means {
        Means::Kilograms | Means::Pounds => {
            identifier.get(3..).and_then(value::digits).ok_or(Wrong::Amount)?
        }
        _ => u8::try_from(fraction.len()).map_err(|_| Wrong::Amount)?,
    };
    let value = format!("{whole}{fraction}").parse().map_err(|_| Wrong::Amount)?;
    Ok(Amount { value, decimals: stated, unit })
}

fn unit_of(code: &str) -> Option<Unit> {
    let formed = code.len() == 2
        && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    formed.then(|| match code {
        "EA" | "PC" => Unit::Piece,
        "KG" => Unit::Kilogram,
        "GR" => Unit::Gram,
        "LB" => Unit::Pound,
        other => Unit::Code(other.to_owned()),
    })
}
