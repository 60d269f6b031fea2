//! Deliveries on a chain in memory, inspected: what an honest one comes to, and what each thing that is wrong or missing is called.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_types,
    reason = "tests fail loudly, and use a part of the contracts' worlds"
)]

mod reports;
mod stories;
#[path = "../../../../contracts/ledger/tests/ledger/town.rs"]
mod town;
#[path = "../../../../contracts/evidence/tests/capsule/world.rs"]
mod world;

use heatmark_evidence::capsule::Outcome;
use stories::{Dock, LIMITS};

const ORDER: &str = "number = '4500012345'\nline = 10\nproduct = 'billet 120 mm'\nspecification = 'works standard 7'\n\
    revision = '2'\ncondition = 'as cast'\nmass = '2000 kg'\nmass_tolerance = '0.1 %'\npieces = 2\n\
    [[dimension]]\nfield = 'product/shape/Diameter'\nnominal = '120 mm'\ntolerance = '0.5 mm'\n";

const POLICY: &str = "max_age_hours = 1\n[origin]\nmelt_country = ['DE', 'SE']\nmelt_shop = ['Witten 2']\n\
    [[limits]]\nspecification = '7.toml'\nas = 'proved'\n\
    [readings]\nrequired = ['chemistry/Cr']\n[[readings.within]]\nproperty = 'chemistry/*'\ntolerance = '0.2 %'\n";

const READINGS: &str = "property,value,unit,instrument,piece\nchemistry/Cr,16.9,%,PMI-3,1\n";

#[test]
fn what_is_as_ordered_certified_and_measured_is_accepted_line_by_line() {
    let dock = Dock::billets();
    let inspection = dock.inspect(ORDER, POLICY, READINGS);
    let open: Vec<_> = inspection.open().map(|line| (line.code, &line.evidence)).collect();
    assert_eq!(open, []);
    assert_eq!(inspection.outcome, Outcome::Accept);
    let ordered: Vec<&str> = {
        let lines = inspection.lines.iter().filter(|line| line.check == "ordered");
        lines.map(|line| line.about.as_str()).collect()
    };
    let expected =
        ["product", "condition", "specification", "product/shape/Diameter", "mass", "pieces"];
    assert_eq!(ordered, expected);
    assert!(inspection.lines.iter().all(|line| !line.words.is_empty() && line.next.is_empty()));
    assert!(inspection.lines.iter().filter(|line| line.check == "measured").count() > 1);
}

#[test]
fn what_differs_from_the_order_is_refused() {
    let dock = Dock::billets();
    for (from, to, code) in [
        ("billet 120 mm", "billet 121 mm", "order-differs"),
        ("works standard 7", "works standard 8", "order-differs"),
        ("revision = '2'", "revision = '3'", "order-differs"),
        ("as cast", "annealed", "order-differs"),
        ("2000 kg", "2010 kg", "mass-differs"),
        ("pieces = 2", "pieces = 3", "pieces-differ"),
        ("'120 mm'\nt", "'121 mm'\nt", "size-differs"),
    ] {
        let order = ORDER.replace(from, to);
        assert_ne!(order, ORDER, "{from}");
        // The limits of the policy would speak for the standard.
        let inspection = dock.inspect(&order, "", "");
        let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
        assert_eq!((inspection.outcome, codes), (Outcome::Reject, vec![code]), "{from}");
    }
}

#[test]
fn what_the_capsule_does_not_show_holds() {
    let mut dock = Dock::billets();
    let hidden =
        ["product/name", "product/condition", "product/standard", "product/shape/Diameter"];
    dock.leave_out(&hidden);
    let inspection = dock.inspect(ORDER, "", "");
    let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
    // The standard is that of the limits which the mill proves.
    assert_eq!((inspection.outcome, codes), (Outcome::Hold, vec!["order-untold"; 3]));
    // Quantities that nobody opens.
    let mut dock = Dock::billets();
    dock.capsules[0].opening.clear();
    let inspection = dock.inspect(ORDER, "", "");
    let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
    assert_eq!((inspection.outcome, codes), (Outcome::Hold, vec!["not-opened"; 2]));
}

#[test]
fn a_certificate_of_billets_does_not_describe_rings() {
    let dock = Dock::rings(false);
    let order = "number = 1\nproduct = 'billet 120 mm'\nspecification = 'works standard 7'\n";
    let inspection = dock.inspect(order, "", "");
    let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
    // The standard still holds for the material.
    assert_eq!((inspection.outcome, codes), (Outcome::Hold, vec!["order-untold"]));
    // The forge's own description does.
    let dock = Dock::rings(true);
    let order = "number = 1\nproduct = 'Ring 400 mm'\n[[dimension]]\nfield = 'product/shape/OuterDiameter'\n\
                 minimum = '399.5 mm'\nmaximum = '400.5 mm'\n";
    assert_eq!(dock.inspect(order, "", "").outcome, Outcome::Accept);
    assert_eq!(dock.inspect(order, "", "").lots[0].title(), "ring 400 mm");
    let order = order.replace("400.5", "400.05");
    let inspection = dock.inspect(&order, "", "");
    let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
    assert_eq!((inspection.outcome, codes), (Outcome::Reject, vec!["size-differs"]));
}

#[test]
fn own_readings_count() {
    let dock = Dock::billets();
    let judged = |readings: &str| {
        let inspection = dock.inspect("", POLICY, readings);
        let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
        (inspection.outcome, codes)
    };
    assert_eq!(judged(READINGS), (Outcome::Accept, vec![]));
    assert_eq!(judged(""), (Outcome::Hold, vec!["reading-missing"]));
    // Within the limit, and yet not what the certificate says: other material?
    let other = READINGS.replace("16.9", "17.5");
    assert_eq!(judged(&other), (Outcome::Hold, vec!["reading-differs"]));
    let outside = READINGS.replace("16.9", "15.9");
    assert_eq!(judged(&outside), (Outcome::Reject, vec!["reading-differs", "reading-outside"]));
    let unit = READINGS.replace(",%,", ",MPa,");
    assert_eq!(judged(&unit).0, Outcome::Hold);
    let order = "number = 1\n[[limit]]\nproperty = 'mechanical/HBW'\nmaximum = '220 HBW'\n";
    let hard = "property,value,unit\nmechanical/HBW,231,HBW\n";
    let inspection = dock.inspect(order, "", hard);
    let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
    assert_eq!((inspection.outcome, codes), (Outcome::Reject, vec!["reading-outside"]));
    assert_eq!(dock.inspect(order, "", "").outcome, Outcome::Hold);
}

#[test]
fn the_policy_is_the_receivers() {
    let dock = Dock::billets();
    for (from, to, outcome, code) in [
        ("['DE', 'SE']", "['SE']", Outcome::Reject, "claim-false"),
        ("melt_shop", "smelter", Outcome::Hold, "claim-missing"),
        ("'proved'", "'shown'", Outcome::Hold, "not-shown"),
        ("'7.toml'", "'narrow.toml'", Outcome::Hold, "not-proved"),
    ] {
        let policy = POLICY.replace(from, to);
        assert_ne!(policy, POLICY, "{from}");
        let inspection = dock.inspect("", &policy, READINGS);
        let codes: Vec<&str> = inspection.open().map(|line| line.code).collect();
        assert!(codes.contains(&code), "{from}: {codes:?}");
        assert_eq!(inspection.outcome, outcome, "{from}");
    }
    // What is refused says what the certificate shows.
    let inspection = dock.inspect("", "[origin]\nmelt_country = ['SE']\n", "");
    let line = inspection.open().next().unwrap();
    assert_eq!(line.evidence, "melt/country; shown: DE");
    assert!(line.about.starts_with("certificate of Mill ("), "{}", line.about);
    assert!(!line.next.is_empty());
}

#[test]
fn several_capsules_are_one_delivery() {
    let mut dock = Dock::billets();
    dock.capsules.push(dock.capsules[0].clone());
    let twice = dock.inspect(ORDER, "", "");
    let codes: Vec<&str> = twice.open().map(|line| line.code).collect();
    assert_eq!(codes, ["lot-twice", "mass-differs", "pieces-differ"]);
    assert_eq!(twice.outcome, Outcome::Reject);
    let both = Dock::two_lots();
    let order = "number = 1\nmass = '4000 kg'\npieces = 4\n";
    assert_eq!(both.inspect(order, "", "").outcome, Outcome::Accept);
    assert_eq!(both.inspect(&order.replace("4000", "2000"), "", "").outcome, Outcome::Reject);
}

#[test]
fn a_file_that_proves_nothing_refuses_the_delivery() {
    let dock = Dock::billets();
    let mut files = dock.files();
    files.push(("noise.capsule".to_owned(), b"noise".to_vec()));
    let inspection = dock.inspect_files(&files, (ORDER, POLICY, READINGS));
    assert_eq!(inspection.outcome, Outcome::Reject);
    let open: Vec<_> = inspection.open().map(|line| (line.lot.as_str(), line.code)).collect();
    let unknown = [("noise.capsule", "not-canonical"), ("", "not-opened"), ("", "not-opened")];
    assert_eq!(open, unknown);
    assert_eq!(inspection.lots[0].outcome, Outcome::Accept);
}

#[test]
fn the_specifications_limits_are_known() {
    assert!(heatmark_records::Specification::parse(LIMITS).is_ok());
}
