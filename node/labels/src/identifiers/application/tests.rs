//! The table is in order, unambiguous, and agrees with lengths that the standard fixes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::*;

#[test]
fn table_is_in_order_and_no_identifier_begins_another() {
    for pair in TABLE.windows(2) {
        assert!(pair[0].last < pair[1].first, "{} {}", pair[0].last, pair[1].first);
        assert!(!pair[1].first.starts_with(pair[0].last), "{}", pair[1].first);
    }
    for row in TABLE {
        assert_eq!(row.first.len(), row.last.len());
        let tail = format!("{}0000", row.first);
        assert_eq!(Application::at_start(&tail).unwrap().1, row.first);
    }
}

#[test]
fn what_needs_no_separator_has_one_length() {
    for row in TABLE.iter().filter(|row| row.needs_no_separator()) {
        let (shortest, longest) = row.lengths();
        assert_eq!(shortest, longest, "{}", row.first);
        let fixed = match &row.first[..2] {
            "00" => 18,
            "01" | "02" | "03" => 14,
            "20" => 2,
            "41" => 13,
            _ => 6,
        };
        assert_eq!(longest, fixed, "{}", row.first);
    }
}

#[test]
fn identifier_that_is_needed_is_in_the_table() {
    for needed in TABLE.iter().flat_map(|row| row.needs) {
        assert!(Application::find(needed).is_some(), "{needed}");
    }
}

#[test]
fn unknown_identifiers_are_not_found() {
    for identifier in
        ["04", "05", "3106", "3109", "99999", "7", "", "0１", "416x", "9", "3946", "7042"]
    {
        assert!(Application::find(identifier).is_none(), "{identifier}");
    }
}
