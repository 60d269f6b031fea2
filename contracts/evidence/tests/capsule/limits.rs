//! Limits that certificates have to keep, in capsules: by their shown values or by proof; depth, disclosers, and descriptions that
//! only an event vouches for.

use heatmark_evidence::capsule::{
    Acceptance, Capsule, CapsuleRecord, Depth, Limits, Outcome, Part,
};
use heatmark_lots::{Event, Kind, OpenLot, Terms};
use heatmark_records::{Fields, Heading, Opening, Secret, Specification, Value};

use crate::story;
use crate::town::bytes32;
use crate::world::{ASSEMBLER, FORGE, Held, MILL, World, number, path};

const LIMITS: &str = "standard = 'works standard 7'\nsample = 'heat'\nrounding = 'absolute'\n\
                      [[limit]]\nproperty = 'chemistry/C'\nunit = '%'\nmaximum = '0.030'\n";

type Judged = (Outcome, Vec<&'static str>);

fn judged(world: &World, capsule: &Capsule, text: &str, shown: bool) -> Judged {
    let specification = Specification::parse(text).unwrap();
    let limits = vec![Limits { specification, shown }];
    let verdict = world.inspect_by(capsule, &Acceptance { limits, ..world.acceptance() }).unwrap();
    (verdict.outcome(), verdict.codes())
}

fn shown(world: &World, lot: &Held) -> Capsule {
    let mut capsule = world.capsule(lot);
    capsule.records[0] = world.disclosed_but(&world.records[0], &["product/mass"]);
    capsule
}

const OK: Judged = (Outcome::Accept, Vec::new());

fn hold(code: &'static str) -> Judged {
    (Outcome::Hold, vec![code])
}

#[test]
fn a_shown_value_outside_its_limit_is_refused_and_a_hidden_one_holds() {
    let (world, lot) = story();
    let (hidden, shown) = (world.capsule(&lot), shown(&world, &lot));
    let narrow = LIMITS.replace("0.030", "0.0209");
    assert_eq!(judged(&world, &shown, &narrow, true), (Outcome::Reject, vec!["outside-limits"]));
    assert_eq!(judged(&world, &shown, &narrow, false), (Outcome::Reject, vec!["outside-limits"]));
    assert_eq!(judged(&world, &hidden, LIMITS, true), hold("not-shown"));
    assert_eq!(judged(&world, &hidden, LIMITS, false), hold("not-proved"));
    assert_eq!(judged(&world, &shown, LIMITS, true), OK);
    assert_eq!(judged(&world, &shown, LIMITS, false), OK);
    let other = LIMITS.replace("chemistry/C", "chemistry/P");
    assert_eq!(judged(&world, &shown, &other, false), hold("not-proved"));
    let megapascals = LIMITS.replace("'%'", "'MPa'");
    assert_eq!(judged(&world, &shown, &megapascals, false), hold("not-comparable"));
}

#[test]
fn a_proof_takes_the_place_of_a_value_only_where_it_may_and_of_no_other_limits() {
    let (world, lot) = story();
    let mut capsule = world.capsule(&lot);
    world.prove(&world.records[0], LIMITS, &mut capsule.records[0]);
    assert_eq!(judged(&world, &capsule, LIMITS, false), OK);
    assert_eq!(judged(&world, &capsule, LIMITS, true), hold("not-shown"));
    let narrow = LIMITS.replace("0.030", "0.025");
    assert_eq!(judged(&world, &capsule, &narrow, false), hold("not-proved"));
    // Whose proof it is counts for who says so.
    let by = |member: usize, capsule: &Capsule| {
        let disclosers = vec![world.town.id(member)];
        let verdict =
            world.inspect_by(capsule, &Acceptance { disclosers, ..world.acceptance() }).unwrap();
        (verdict.outcome(), verdict.codes())
    };
    assert_eq!(by(MILL, &capsule), OK);
    assert_eq!(by(ASSEMBLER, &capsule), hold("discloser"));
    let mut silent = capsule;
    silent.entries.retain(|entry| !entry.key.starts_with(b"key/"));
    let told = by(MILL, &silent).1;
    assert!(told.contains(&"discloser-untold"), "{told:?}");
}

#[test]
fn limits_are_not_kept_by_there_being_no_certificate() {
    let (world, lot) = story();
    let mut capsule = world.capsule(&lot);
    capsule.records.clear();
    let (outcome, codes) = judged(&world, &capsule, LIMITS, false);
    assert_eq!(outcome, Outcome::Hold);
    assert!(codes.contains(&"no-certificate"), "{codes:?}");
}

#[test]
fn a_lot_is_traced_as_deep_as_is_asked() {
    let (world, lot) = story();
    let capsule = world.capsule(&lot);
    let deep = |depth| {
        let verdict =
            world.inspect_by(&capsule, &Acceptance { depth, ..world.acceptance() }).unwrap();
        (verdict.outcome(), verdict.codes())
    };
    assert_eq!(deep(Depth::Lot), OK);
    // A transform and a rework that do not say how.
    let untold = (Outcome::Hold, vec!["process-untold", "process-untold"]);
    assert_eq!(deep(Depth::Batch), untold);
    let (outcome, codes) = deep(Depth::Item);
    assert_eq!((outcome, codes[0]), (Outcome::Hold, "no-serials"));
}

/// Rings of the story, with a description that the forge wrote and nobody anchored.
fn described(by: usize) -> (World, Held, CapsuleRecord) {
    let mut world = World::new();
    let heat = world.certificate("1", "t");
    let billets = world.commission(heat, &[(1_000_000_000, 1)]);
    let mut fields = Fields::new();
    fields.insert(path("product/name"), Value::Text("ring 400 mm".into())).unwrap();
    fields.insert(path("product/shape/OuterDiameter"), number("400.1", "mm")).unwrap();
    let heading = Heading {
        network: world.network(),
        form: "Heatmark lot 1".into(),
        issuer: *world.town.id(by).as_bytes(),
        alert_subject: world.records[0].opening.head().heading().alert_subject,
        origin_seal: None,
    };
    let opening = Opening::seal(heading, fields, Secret::new(bytes32("description"))).unwrap();
    let class = billets[0].lot.lot().content.class;
    let mut rings = world.lot(0, 1, class);
    let terms = Terms {
        class,
        description: opening.check().unwrap(),
        serials: None,
        expires_ms: 0,
        seal: rings.lot.lot().seal,
    };
    rings.lot = OpenLot::fresh(1_000_000_000, 4, terms, &mut rand::rng());
    let rings = world.make_of((FORGE, Kind::Transform), &billets, vec![rings]);
    let delivered = world.transfer(ASSEMBLER, &rings);
    let tree = opening.tree().unwrap();
    let shown = |at: &str| tree.show(&path(at)).unwrap().encode();
    let record = CapsuleRecord {
        record: opening.check().unwrap().0.to_vec(),
        head: opening.head().encode(),
        fields: vec![shown("product/name"), shown("product/shape/OuterDiameter")],
        ..CapsuleRecord::default()
    };
    (world, delivered[0].clone(), record)
}

fn with(world: &World, lot: &Held, record: CapsuleRecord) -> Capsule {
    let mut capsule = world.capsule(lot);
    capsule.records.push(record);
    capsule.records.sort_by(|left, right| left.record.cmp(&right.record));
    capsule
}

#[test]
fn a_description_needs_no_anchor_of_its_own_where_its_writers_event_names_it() {
    let (world, lot, record) = described(FORGE);
    let verdict = world.inspect(&with(&world, &lot, record.clone())).unwrap();
    assert_eq!(verdict.codes(), Vec::<&str>::new());
    let told = &verdict.told[0];
    assert_eq!((told.part, told.issuer.member), (Part::Description, world.town.id(FORGE)));
    // Somebody else's word about a ring of the forge's.
    let (world, lot, foreign) = described(MILL);
    let verdict = world.inspect(&with(&world, &lot, foreign)).unwrap();
    assert_eq!((verdict.outcome(), verdict.codes()), (Outcome::Reject, vec!["not-the-issuer"]));
    // Half an anchor is none.
    let mut half = record;
    half.leaf = 1;
    let (world, lot, _) = described(FORGE);
    let codes = world.codes(&with(&world, &lot, half));
    // What is not read of it tells of no alerts either.
    assert_eq!(codes, ["not-an-anchor", "alert-untold"]);
}

#[test]
fn a_certificate_needs_its_anchor() {
    let (world, lot) = story();
    let mut capsule = world.capsule(&lot);
    let certificate = &mut capsule.records[0];
    certificate.transaction.clear();
    certificate.path.clear();
    certificate.batch.clear();
    certificate.leaf = 0;
    let verdict = world.inspect(&capsule).unwrap();
    assert_eq!(verdict.outcome(), Outcome::Reject);
    assert!(verdict.codes().contains(&"not-an-anchor"), "{:?}", verdict.codes());
    assert!(verdict.sources.is_empty());
    // Nor is a body on the log enough of a process to be a certificate.
    assert!(Event::decode(&capsule.events[0].event).is_ok());
}
