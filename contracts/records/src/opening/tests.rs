//! Openings: what the root commits to, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use proptest::prelude::*;

use super::*;
use crate::{Decimal, Measured, Quantity, Relation};

pub(crate) fn heading() -> Heading {
    Heading {
        network: [1; 32],
        form: "Metals 0.1.1".into(),
        issuer: [2; 32],
        alert_subject: [3; 32],
        origin_seal: None,
    }
}

pub(crate) fn fields(count: usize) -> Fields {
    let mut fields = Fields::new();
    for n in 0..count {
        fields
            .insert(Path::new(&format!("field/{n}")).unwrap(), Value::Text(format!("value {n}")))
            .unwrap();
    }
    fields
}

pub(crate) fn opening(count: usize) -> Opening {
    Opening::seal(heading(), fields(count), Secret::new([9; 32])).unwrap()
}

pub(crate) fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

pub(crate) fn measured(unit: &str, quantity: Quantity) -> Value {
    Value::Measured(Measured { unit: unit.into(), quantity })
}

/// A field of every shape.
pub(crate) fn analysis() -> Opening {
    let equal = |text| (Relation::Equal, number(text));
    let single = |relation, text| Quantity::Number(relation, number(text));
    let several = Quantity::Several(vec![equal("71"), equal("84.5"), equal("60")]);
    let range = Quantity::Range { low: number("180"), high: number("200"), inclusive: true };
    let mut fields = Fields::new();
    for (path, value) in [
        ("heat", Value::Text("553908".into())),
        ("chemistry/C", measured("%", single(Relation::Equal, "0.021"))),
        ("chemistry/S", measured("%", single(Relation::Less, "0.001"))),
        ("chemistry/Fe", measured("%", Quantity::Balance)),
        ("test/temperature", measured("°C", single(Relation::Equal, "-40"))),
        ("mechanical/KV", measured("J", several)),
        ("mechanical/HBW", measured("", range)),
    ] {
        fields.insert(Path::new(path).unwrap(), value).unwrap();
    }
    Opening::seal(heading(), fields, Secret::new([9; 32])).unwrap()
}

#[test]
fn golden_record() {
    let opening = analysis();
    assert_eq!(opening.head().nonce().to_string(), GOLDEN_NONCE);
    assert_eq!(hex::encode(opening.head().hash().0), GOLDEN_HEAD);
    assert_eq!(hex::encode(opening.check().unwrap().0), GOLDEN_ID);
}

// Computed by a program of another language, with libsodium, that follows proto/README.md section 9.
const GOLDEN_NONCE: &str = "17106270402813481544";
const GOLDEN_HEAD: &str = "2408f0fd5275848e25997bef376f0abb157222a018a0ff3d3c1aef01cb5a65be";
const GOLDEN_ID: &str = "f6c9ae6e3db7e4b7e2aed6b7822a1fda2d349fec40a48214e9e333e2a70e8511";

#[test]
fn refuses_the_same_path_twice() {
    let mut fields = fields(3);
    let again = fields.insert(Path::new("field/1").unwrap(), Value::Text("other".into()));
    assert_eq!(again, Err(RecordError::PathTwice));
}

#[test]
fn refuses_more_than_a_thousand_fields_and_none() {
    let mut full = fields(MAX_FIELDS);
    let one_more = full.insert(Path::new("one/more").unwrap(), Value::Text(String::new()));
    assert_eq!(one_more, Err(RecordError::TooManyFields));
    assert_eq!(
        Opening::seal(heading(), Fields::new(), Secret::new([9; 32])),
        Err(RecordError::NoFields)
    );
}

#[test]
fn refuses_paths_that_two_readers_could_read_differently() {
    let long = "a".repeat(513);
    for path in ["", "/a", "a/", "a//b", "a\nb", "a\u{0}", &long] {
        assert_eq!(Path::new(path), Err(RecordError::BadPath), "{path:?}");
    }
}

#[test]
fn the_tree_hides_how_many_fields_there_are_up_to_its_depth() {
    for (count, depth) in [(1, 12), (120, 12), (121, 15), (350, 15), (351, 18), (1000, 18)] {
        assert_eq!(Depth::for_fields(count).bits(), depth, "{count}");
    }
    assert_eq!(
        opening(1).tree().unwrap().show(&Path::new("field/0").unwrap()).unwrap().siblings.len(),
        12
    );
}

#[test]
fn a_thousand_fields_find_their_slots() {
    let opening = opening(MAX_FIELDS);
    let id = opening.check().unwrap();
    assert_eq!(Opening::decode(&opening.encode()).unwrap().check(), Ok(id));
}

#[test]
fn anything_changed_gives_another_root() {
    let original = opening(5);
    let id = original.check().unwrap();
    let mut changed: Vec<Opening> = Vec::new();
    let mut with = |change: &dyn Fn(&mut Opening)| {
        let mut copy = original.clone();
        change(&mut copy);
        changed.push(copy);
    };
    with(&|o| o.head.heading.issuer[0] ^= 1);
    with(&|o| o.head.heading.network[31] ^= 1);
    with(&|o| o.head.heading.alert_subject[5] ^= 1);
    with(&|o| o.head.heading.origin_seal = Some([0; 32]));
    with(&|o| o.head.heading.form.push('x'));
    with(&|o| o.head.nonce ^= 1 << 40);
    with(&|o| o.secret = Secret::new([8; 32]));
    with(&|o| drop(o.fields.0.pop_first()));
    with(&|o| o.fields.insert(Path::new("new").unwrap(), Value::Text("x".into())).unwrap());
    with(&|o| *o.fields.0.values_mut().next().unwrap() = Value::Text("value 00".into()));
    for (n, copy) in changed.iter().enumerate() {
        assert!(copy.check() != Ok(id), "change {n}");
    }
}

#[test]
fn a_head_whose_nonce_lets_two_paths_collide_makes_no_record() {
    let mut opening = opening(120);
    let collides = (0..1000).any(|nonce| {
        opening.head.nonce = nonce;
        opening.check() == Err(RecordError::SlotTaken)
    });
    assert!(collides);
}

#[test]
fn fillers_hashed_from_midstates_are_the_specified_leaves() {
    let opening = opening(1);
    let head_hash = opening.head.hash();
    let tree = opening.tree().unwrap();
    let key = opening.secret.salts(&head_hash).filler_key();
    let absent = Path::new("absent").unwrap();
    let proof = tree.show(&absent).unwrap();
    let slot = slot_of(&head_hash, opening.head.depth, &absent);
    let salt = tag::hash("record-no-field-salt", &[key.as_slice(), &slot.to_be_bytes()]);
    assert_eq!(proof.salt, salt.0);
    proof.verify(opening.head(), &tree.id()).unwrap();
}

#[test]
fn openings_decode_to_themselves_only() {
    let opening = opening(4);
    let encoded = opening.encode();
    assert_eq!(Opening::decode(&encoded).unwrap(), opening);
    assert!(Opening::decode(&[&encoded[..], &[0x1a, 0]].concat()).is_err());
    assert!(Opening::decode(&encoded[..encoded.len() - 1]).is_err());
    assert_eq!(Opening::decode(&vec![0; MAX_OPENING_BYTES + 1]), Err(RecordError::TooLong));
    let many = [0x1a, 0x00].repeat(MAX_FIELDS + 3);
    assert_eq!(Opening::decode(&many), Err(RecordError::TooManyFields));
    let mut unknown_suite = opening.clone();
    unknown_suite.head.suite = 1;
    assert_eq!(Opening::decode(&unknown_suite.encode()), Err(RecordError::UnknownSuite));
}

#[test]
fn refuses_fields_out_of_order() {
    let opening = opening(2);
    let mut message = wire::Opening::from(&opening);
    message.swap_fields();
    assert_eq!(Opening::decode(&message.encode_to_vec()), Err(RecordError::NotCanonical));
}

#[test]
fn nothing_printed_contains_the_secret() {
    let shown = format!("{:?}", opening(1).secret);
    assert_eq!(shown, "Secret");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Opening::decode(&bytes);
        let _ = crate::FieldProof::decode(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_refused_or_changes_the_root(byte in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let original = opening(3);
        let id = original.check().unwrap();
        let mut bytes = original.encode().to_vec();
        let at = byte.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let same = Opening::decode(&bytes).is_ok_and(|opening| opening.check() == Ok(id));
        prop_assert!(!same);
    }
}

#[test]
fn where_only_a_calculated_mass_is_stated_absence_of_another_can_be_shown() {
    let mut fields = fields(119);
    let mass = Path::new("product/mass").unwrap();
    let theoretical = Path::new("product/mass/theoretical").unwrap();
    let tonnes = measured("t", Quantity::Number(Relation::Equal, number("1")));
    fields.insert(theoretical, tonnes).unwrap();
    let seal = |seed: u32| {
        let mut secret = [7; 32];
        secret[..4].copy_from_slice(&seed.to_be_bytes());
        Opening::seal(heading(), fields.clone(), Secret::new(secret)).unwrap()
    };
    for seed in 0..400 {
        let Opening { head, fields, .. } = seal(seed);
        let (hash, depth) = (head.hash(), head.depth());
        let taken = slots(&hash, depth, &fields).unwrap();
        assert!(!taken.contains(&slot_of(&hash, depth, &mass)), "{seed}");
    }
    let opening = seal(0);
    let shown = opening.tree().unwrap().show(&mass).unwrap();
    assert_eq!(shown.said, crate::Said::Absent);
}
