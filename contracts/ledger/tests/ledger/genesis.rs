//! Genesis texts: what is accepted, and every way of not being one.

use crate::town::{document, key, signed};
use heatmark_ledger::genesis::{Document, Genesis};

/// A text with what must become of it.
pub(crate) struct Case {
    pub name: &'static str,
    pub text: String,
    /// Whether it can be read; with `signed`, whether it is a trust root.
    pub parses: bool,
    pub signed: bool,
}

fn changed(name: &'static str, change: impl FnOnce(&mut Document), parses: bool) -> Case {
    let mut changed = document();
    change(&mut changed);
    Case { name, text: changed.to_text().unwrap(), parses, signed: false }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let genesis = signed(&document());
    let text = genesis.to_text();
    let unsigned = document().to_text().unwrap();
    let (body, lines) = text.split_once("\n\n").unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let replaced = |name, from: &str, to: &str| {
        assert!(unsigned.contains(from), "{from}");
        Case { name, text: unsigned.replacen(from, to, 1), parses: false, signed: false }
    };
    let with_lines = |name, lines: &[&str], parses, signed| {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Case { name, text: format!("{body}\n\n{lines}"), parses, signed }
    };
    let other = {
        let mut document = document();
        document.name = "Elsewhere".to_owned();
        signed(&document).to_text()
    };
    let foreign: Vec<&str> = other.split_once("\n\n").unwrap().1.lines().collect();
    let mut cases = vec![
        Case { name: "signed by all", text: text.clone(), parses: true, signed: true },
        Case { name: "signed by nobody", text: unsigned.clone(), parses: true, signed: false },
        with_lines("a signature missing", &lines[..3], true, false),
        with_lines(
            "signatures out of order",
            &[lines[1], lines[0], lines[2], lines[3]],
            false,
            false,
        ),
        with_lines(
            "a signature twice",
            &[lines[0], lines[0], lines[1], lines[2], lines[3]],
            false,
            false,
        ),
        with_lines("another network's signatures", &foreign, false, false),
        with_lines(
            "a blank line among signatures",
            &[lines[0], "", lines[1], lines[2], lines[3]],
            false,
            false,
        ),
        with_lines("a hyphen for a dash", &[&lines[0].replace('\u{2014}', "-")], false, false),
        with_lines("base64 without padding", &[lines[0].trim_end_matches('=')], false, false),
        with_lines("a space at a line's end", &[&format!("{} ", lines[0])], false, false),
        with_lines(
            "a carriage return at a line's end",
            &[&format!("{}\r", lines[0])],
            false,
            false,
        ),
        with_lines("a member id in capitals", &[&lines[0].to_uppercase()], false, false),
        Case {
            name: "a last line that does not end",
            text: text.trim_end().to_owned(),
            parses: false,
            signed: false,
        },
        Case {
            name: "carriage returns everywhere",
            text: text.replace('\n', "\r\n"),
            parses: false,
            signed: false,
        },
        Case {
            name: "a document that does not end its line",
            text: unsigned.trim_end().to_owned(),
            parses: false,
            signed: false,
        },
        Case { name: "nothing", text: String::new(), parses: false, signed: false },
        Case { name: "an array", text: "[]\n".to_owned(), parses: false, signed: false },
        Case { name: "a null", text: "null\n".to_owned(), parses: false, signed: false },
        Case {
            name: "another document behind",
            text: format!("{unsigned}{{}}\n"),
            parses: false,
            signed: false,
        },
        Case {
            name: "a byte order mark",
            text: format!("\u{feff}{unsigned}"),
            parses: false,
            signed: false,
        },
        replaced("another format", "heatmark-genesis-v1", "heatmark-genesis-v2"),
        replaced("an unknown field", "\"name\"", "\"note\": 1, \"name\""),
        replaced("a field twice", "\"name\": \"Town\"", "\"name\": \"Town\", \"name\": \"Town\""),
        replaced("a float", "\"time_ms\": 1700000000000", "\"time_ms\": 1700000000000.0"),
        replaced("a number below zero", "\"time_ms\": 1700000000000", "\"time_ms\": -1"),
        replaced(
            "a number as text",
            "\"time_ms\": 1700000000000",
            "\"time_ms\": \"1700000000000\"",
        ),
        replaced("a time beyond 64 bits", "1700000000000", "18446744073709551616"),
        replaced("a missing field", "\"power\": 1", "\"might\": 1"),
        replaced("an unknown role", "\"supplier\"", "\"miller\""),
        replaced("an unknown scheme", "\"gln\"", "\"gtin\""),
        changed("no founder", |d| d.founders.clear(), false),
        changed("no name", |d| d.name.clear(), false),
        changed("a name of 64 characters", |d| d.name = "ä".repeat(64), true),
        changed("a name of 65 characters", |d| d.name = "ä".repeat(65), false),
        changed("a founder twice", |d| d.founders.push(d.founders[0].clone()), false),
        changed(
            "a key of two founders",
            |d| d.founders[0].keys.p2p = d.founders[1].keys.p2p.clone(),
            false,
        ),
        changed(
            "a key in two roles",
            |d| d.founders[0].keys.p2p = d.founders[0].keys.root.clone(),
            false,
        ),
        changed(
            "a key in capitals",
            |d| d.founders[0].keys.p2p = d.founders[0].keys.p2p.to_uppercase(),
            false,
        ),
        changed("a key of 31 bytes", |d| d.founders[0].keys.p2p.truncate(62), false),
        changed(
            "a key that is no point",
            |d| d.founders[0].keys.p2p = format!("02{}", "00".repeat(31)),
            false,
        ),
        changed(
            "the identity as a key",
            |d| d.founders[0].keys.p2p = format!("01{}", "00".repeat(31)),
            false,
        ),
        changed(
            "an envelope key of zeros",
            |d| d.founders[0].keys.envelope = "00".repeat(32),
            false,
        ),
        changed("no consensus key with power", |d| d.founders[0].keys.consensus = None, false),
        changed("a validator without power", |d| d.founders[0].power = 0, false),
        changed("power without the role", |d| drop(d.founders[0].roles.pop()), false),
        changed("too much power", |d| d.founders[0].power = (1 << 40) + 1, false),
        changed("the most power", |d| d.founders[0].power = 1 << 40, true),
        changed("no roles", |d| d.founders[0].roles.clear(), false),
        changed("a country of three letters", |d| d.founders[0].country = "DEU".to_owned(), false),
        changed("a founder without a name", |d| d.founders[0].legal_name.clear(), false),
        changed("a control character in a name", |d| d.founders[0].legal_name.push('\u{7}'), false),
        changed("an empty identifier", |d| d.founders[0].identifiers[0].value.clear(), false),
        changed("a window out of range", |d| d.parameters.max_window_ms = 999, false),
        changed("blocks out of range", |d| d.parameters.max_block_bytes = 7_340_033, false),
        changed(
            "more reserved than half",
            |d| d.parameters.reserved_alert_bytes = 2_097_153,
            false,
        ),
    ];
    cases.extend(shapes(&unsigned));
    cases
}

/// Texts whose objects are written as something else.
fn shapes(text: &str) -> Vec<Case> {
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 9] = [
        ("founders as an object", |v| v["founders"] = serde_json::json!({})),
        ("a founder as an array", |v| {
            let values: Vec<_> = v["founders"][0].as_object().unwrap().values().cloned().collect();
            v["founders"][0] = values.into();
        }),
        ("keys as an array", |v| {
            let keys = &v["founders"][0]["keys"];
            let values: Vec<_> = keys.as_object().unwrap().values().cloned().collect();
            v["founders"][0]["keys"] = values.into();
        }),
        ("an identifier as an array", |v| {
            v["founders"][0]["identifiers"][0] = serde_json::json!(["gln", "1"]);
        }),
        ("parameters as an array", |v| {
            let values: Vec<_> = v["parameters"].as_object().unwrap().values().cloned().collect();
            v["parameters"] = values.into();
        }),
        ("a consensus key of null", |v| {
            v["founders"][0]["keys"]["consensus"] = serde_json::Value::Null;
            v["founders"][0]["roles"] = serde_json::json!(["supplier"]);
            v["founders"][0]["power"] = 0.into();
        }),
        ("founders out of order", |v| v["founders"].as_array_mut().unwrap().reverse()),
        ("a missing parameter", |v| {
            drop(v["parameters"].as_object_mut().unwrap().remove("heartbeat_ms"))
        }),
        ("an unknown parameter", |v| v["parameters"]["speed"] = 1.into()),
    ];
    let change = |(name, change): (&'static str, Change)| {
        let mut value: serde_json::Value = serde_json::from_str(text).unwrap();
        change(&mut value);
        let text = format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
        Case { name, text, parses: false, signed: false }
    };
    changes.into_iter().map(change).collect()
}

#[test]
fn genesis_texts_are_accepted_or_refused_as_they_should_be() {
    let mut wrong = Vec::new();
    for case in cases() {
        let read = Genesis::parse(case.text.as_bytes());
        let signed = read.as_ref().is_ok_and(|genesis| genesis.require_signed().is_ok());
        if (read.is_ok(), signed) != (case.parses, case.signed) {
            wrong.push(format!("{}: {:?}", case.name, read.map(|genesis| genesis.network())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_genesis_survives_being_written_and_read() {
    for (document, signed_by) in [(document(), 0), (document(), 2), (document(), 4)] {
        let mut genesis = Genesis::parse(document.to_text().unwrap().as_bytes()).unwrap();
        for founder in document.founders.iter().take(signed_by) {
            genesis.sign(&key(&format!("{} root", founder.legal_name))).unwrap();
        }
        let again = Genesis::parse(genesis.to_text().as_bytes()).unwrap();
        assert_eq!(again.to_text(), genesis.to_text());
        assert_eq!(again.network(), genesis.network());
        assert_eq!(again.unsigned().count(), 4 - signed_by);
    }
}

#[test]
fn signatures_of_two_copies_merge_and_those_of_another_document_do_not() {
    let text = document().to_text().unwrap();
    let copy = |names: &[&str]| {
        let mut genesis = Genesis::parse(text.as_bytes()).unwrap();
        for name in names {
            genesis.sign(&key(&format!("{name} root"))).unwrap();
        }
        genesis
    };
    let mut ours = copy(&["Mill", "Forge"]);
    ours.merge(&copy(&["Assembler", "Lab"])).unwrap();
    ours.require_signed().unwrap();
    assert_eq!(ours.to_text(), signed(&document()).to_text());
    let mut other = document();
    other.time_ms += 1;
    assert!(ours.merge(&signed(&other)).is_err());
    assert!(ours.sign(&key("nobody")).is_err());
}
