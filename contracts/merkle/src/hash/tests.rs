//! Claims about the text and serde forms of a hash.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use proptest::prelude::*;

use super::Hash;
use crate::HashError;

#[test]
fn refuses_every_length_but_32() {
    for len in (0..100).filter(|len| *len != 32) {
        assert_eq!(Hash::try_from(vec![0; len].as_slice()), Err(HashError::WrongLength(len)));
    }
    assert_eq!(Hash::try_from([9; 32].as_slice()), Ok(Hash([9; 32])));
}

#[test]
fn refuses_uppercase_short_and_foreign_digits() {
    let good = "0123456789abcdef".repeat(4);
    assert!(good.parse::<Hash>().is_ok());
    for bad in [
        good.to_uppercase(),
        good.replace('f', "g"),
        good.replace("01", "+1"),
        good.replace("01", "é"),
    ] {
        assert_eq!(bad.parse::<Hash>(), Err(HashError::NotHex), "{bad}");
    }
    assert_eq!(good.trim_end_matches('f').parse::<Hash>(), Err(HashError::NotHex));
    assert_eq!(format!("{good}0").parse::<Hash>(), Err(HashError::NotHex));
    assert!(serde_json::from_str::<Hash>("\"00\"").is_err());
    assert!(serde_json::from_str::<Hash>("[1]").is_err());
}

proptest! {
    #[test]
    fn text_and_serde_round_trip(bytes: [u8; 32]) {
        let hash = Hash(bytes);
        prop_assert_eq!(hash.to_string(), hex::encode(bytes));
        prop_assert_eq!(format!("{hash:?}"), hex::encode(bytes));
        prop_assert_eq!(hash.to_string().parse::<Hash>(), Ok(hash));
        let json = serde_json::to_string(&hash).unwrap();
        prop_assert_eq!(serde_json::from_str::<Hash>(&json).unwrap(), hash);
    }

    #[test]
    fn any_text_parses_or_is_refused(text: String) {
        let parsed = text.parse::<Hash>();
        prop_assert!(parsed.is_err() || parsed.unwrap().to_string() == text);
    }
}
