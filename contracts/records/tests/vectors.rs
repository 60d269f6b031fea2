//! The golden file `tests/vectors/records.json`: a record of every shape, its opening, and the proofs of its fields, for
//! implementations in any language. `HEATMARK_BLESS=1` writes it anew; otherwise it must be what the rules give.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail loudly, and read golden files"
)]

use heatmark_records::{
    Decimal, Fields, Heading, Measured, Opening, Path, Quantity, Relation, Secret, Value,
};
use serde_json::{Value as Json, json};

fn number(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn opening() -> Opening {
    let measured = |unit: &str, quantity| Value::Measured(Measured { unit: unit.into(), quantity });
    let single = |relation, text| Quantity::Number(relation, number(text));
    let equal = |text| (Relation::Equal, number(text));
    let several = vec![equal("71"), equal("84.5"), (Relation::GreaterOrEqual, number("60"))];
    let range = Quantity::Range { low: number("180"), high: number("200"), inclusive: true };
    let mut fields = Fields::new();
    for (path, value) in [
        ("heat", Value::Text("553908".into())),
        ("chemistry/C", measured("%", single(Relation::Equal, "0.021"))),
        ("chemistry/S", measured("%", single(Relation::Less, "0.001"))),
        ("chemistry/Fe", measured("%", Quantity::Balance)),
        ("test/temperature", measured("°C", single(Relation::Equal, "-40"))),
        ("test/zero", measured("", single(Relation::LessOrEqual, "0.000"))),
        ("test/bend", measured("", Quantity::Verdict(true))),
        ("mechanical/KV", measured("J", Quantity::Several(several))),
        ("mechanical/HBW", measured("", range)),
    ] {
        fields.insert(Path::new(path).unwrap(), value).unwrap();
    }
    let heading = Heading {
        network: [1; 32],
        form: "Metals 0.1.1".into(),
        issuer: [2; 32],
        alert_subject: [3; 32],
        origin_seal: Some([4; 32]),
    };
    Opening::seal(heading, fields, Secret::new([9; 32])).unwrap()
}

fn golden() -> Json {
    let opening = opening();
    let tree = opening.tree().unwrap();
    let proofs: Vec<Json> = opening
        .fields()
        .iter()
        .map(|(path, _)| {
            json!({
                "path": path.as_str(),
                "shown": hex::encode(tree.show(path).unwrap().encode()),
                "committed": hex::encode(tree.show_committed(path).unwrap().encode()),
            })
        })
        .collect();
    let absent = Path::new("chemistry/Nb").unwrap();
    json!({
        "opening": hex::encode(opening.encode()),
        "head": hex::encode(opening.head().encode()),
        "head_hash": hex::encode(opening.head().hash().0),
        "record": hex::encode(tree.id().0),
        "proofs": proofs,
        "absent": hex::encode(tree.show(&absent).unwrap().encode()),
    })
}

#[test]
fn records_are_golden() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/records.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&golden()).unwrap());
    if std::env::var_os("HEATMARK_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}
