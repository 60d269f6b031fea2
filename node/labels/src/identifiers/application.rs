//! GS1 application identifiers with their lengths and characters, after the GS1 General Specifications, section 3.
//! One that is not in the table is refused: nobody can tell where its value ends.

mod table;

use crate::error::Wrong;
use crate::identifiers::Means;
use crate::value;
use table::TABLE;

/// What a value is made of, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    set: Set,
    shortest: usize,
    longest: usize,
    optional: bool,
    rule: Rule,
}

#[derive(Debug, Clone, Copy)]
enum Set {
    Digits,
    EightyTwo,
    ThirtyNine,
    SixtyFour,
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    None,
    CheckDigit,
    Day,
    Minute,
    Zero,
}

impl Part {
    const fn check(mut self) -> Self {
        self.rule = Rule::CheckDigit;
        self
    }

    const fn day(mut self) -> Self {
        self.rule = Rule::Day;
        self
    }

    const fn minute(mut self) -> Self {
        self.rule = Rule::Minute;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    fn verify(&self, text: &str, year: u16) -> Result<(), Wrong> {
        let belongs = |byte: u8| match self.set {
            Set::Digits => byte.is_ascii_digit(),
            Set::EightyTwo => value::is_set_82(byte),
            Set::ThirtyNine => value::is_set_39(byte),
            Set::SixtyFour => value::is_set_64(byte),
        };
        if text.len() < self.shortest || text.len() > self.longest {
            return Err(Wrong::Length);
        }
        if !text.bytes().all(belongs) {
            return Err(Wrong::Character);
        }
        match self.rule {
            Rule::None => Ok(()),
            Rule::CheckDigit => value::verify_check_digit(text),
            Rule::Day => value::six_digit_day(text, year).map(drop),
            Rule::Minute => value::minute_of_day(text).map(drop),
            Rule::Zero if text == "0" => Ok(()),
            Rule::Zero => Err(Wrong::Character),
        }
    }
}

const fn part(set: Set, shortest: usize, longest: usize) -> Part {
    Part { set, shortest, longest, optional: false, rule: Rule::None }
}

const fn n(length: usize) -> Part {
    part(Set::Digits, length, length)
}

const fn n_to(longest: usize) -> Part {
    part(Set::Digits, 1, longest)
}

const fn x(length: usize) -> Part {
    part(Set::EightyTwo, length, length)
}

const fn x_to(longest: usize) -> Part {
    part(Set::EightyTwo, 1, longest)
}

const fn y_to(longest: usize) -> Part {
    part(Set::ThirtyNine, 1, longest)
}

const fn z_to(longest: usize) -> Part {
    part(Set::SixtyFour, 1, longest)
}

const fn zero() -> Part {
    let mut part = n(1);
    part.rule = Rule::Zero;
    part
}

/// An application identifier, or several in a row that differ in their last digit.
pub(crate) struct Application {
    first: &'static str,
    last: &'static str,
    parts: &'static [Part],
    pub(crate) title: &'static str,
    pub(crate) means: Means,
    /// Of which one has to stand on the same item. Asked only to choose among possible readings, since the
    /// rule holds for all symbols of an item together.
    pub(crate) needs: &'static [&'static str],
    /// Whether goods of our trade usually carry it. Orders readings, refuses nothing.
    pub(crate) common: bool,
}

impl Application {
    /// Finds the identifier with which an element string begins, and gives its digits as well.
    pub(crate) fn at_start(text: &str) -> Option<(&'static Self, &str)> {
        (2..=4).find_map(|length| {
            let identifier = text.get(..length)?;
            Some((Self::find(identifier)?, identifier))
        })
    }

    /// Finds an identifier by all its digits.
    pub(crate) fn find(identifier: &str) -> Option<&'static Self> {
        let after = TABLE.partition_point(|row| row.first <= identifier);
        let row = TABLE.get(after.checked_sub(1)?)?;
        let within = row.first.len() == identifier.len()
            && value::is_digits(identifier)
            && row.last >= identifier;
        within.then_some(row)
    }

    /// Whether its length is among those that section 7.8 fixes for ever, so that no separator follows.
    pub(crate) fn needs_no_separator(&self) -> bool {
        matches!(
            self.first.get(..2),
            Some("00" | "01" | "02" | "03" | "04" | "20" | "41")
                | Some("11" | "12" | "13" | "14" | "15" | "16" | "17" | "18" | "19")
                | Some("31" | "32" | "33" | "34" | "35" | "36")
        )
    }

    /// Characters of the shortest and the longest value.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        self.parts.iter().fold((0, 0), |(shortest, longest), part| {
            let least = if part.optional { 0 } else { part.shortest };
            (shortest.saturating_add(least), longest.saturating_add(part.longest))
        })
    }

    /// Checks a value: length, characters, check digits, days.
    pub(crate) fn verify(&self, text: &str, year: u16) -> Result<(), Wrong> {
        let mut rest = text;
        for part in self.parts {
            if part.optional && rest.is_empty() {
                continue;
            }
            let length = part.longest.min(rest.len());
            let (own, after) = rest.split_at_checked(length).ok_or(Wrong::Character)?;
            part.verify(own, year)?;
            rest = after;
        }
        if rest.is_empty() { Ok(()) } else { Err(Wrong::Length) }
    }
}

#[cfg(test)]
mod tests;
