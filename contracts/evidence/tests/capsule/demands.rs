//! What a receiver may demand, and what it is told when it does not get it.

use heatmark_evidence::Policy;
use heatmark_evidence::capsule::{Acceptance, Claim, Mine, Outcome};
use heatmark_ledger::messages as pb;
use heatmark_lots::Kind;
use heatmark_records::Value;
use prost::Message;

use crate::story;
use crate::world::{ASSEMBLER, FORGE, LAB, MILL, World, path};

fn judged(
    world: &World,
    capsule: &heatmark_evidence::capsule::Capsule,
    acceptance: &Acceptance,
) -> (Outcome, Vec<&'static str>) {
    let verdict = world.inspect_by(capsule, acceptance).unwrap();
    (verdict.outcome(), verdict.codes())
}

const OK: (Outcome, Vec<&'static str>) = (Outcome::Accept, Vec::new());

#[test]
fn the_lot_is_the_one_that_was_received() {
    let (mut world, lot) = story();
    let mut capsule = world.capsule(&lot);
    let with = |world: &World, mine| Acceptance { mine: Some(mine), ..world.acceptance() };
    let own = || Mine {
        seals: vec![lot.lot.lot().seal],
        mass_mg: Some((1_499_000_000, 1_501_000_000)),
        pieces: Some(49),
        label: None,
    };
    assert_eq!(judged(&world, &capsule, &with(&world, own())), OK);
    let reject = |code| (Outcome::Reject, vec![code]);
    let hold = |code| (Outcome::Hold, vec![code]);
    let wrong = Mine { pieces: Some(50), ..own() };
    assert_eq!(judged(&world, &capsule, &with(&world, wrong)), reject("pieces-differ"));
    let wrong = Mine { mass_mg: Some((1, 2)), ..own() };
    assert_eq!(judged(&world, &capsule, &with(&world, wrong)), reject("mass-differs"));
    let wrong = Mine { label: Some(vec![1, 2, 3]), ..own() };
    assert_eq!(judged(&world, &capsule, &with(&world, wrong)), reject("not-canonical"));
    // Somebody else's seal is shown to be whole, by its key; without that it is not known.
    let unknown = Mine { seals: Vec::new(), ..own() };
    assert_eq!(judged(&world, &capsule, &with(&world, unknown.clone())), OK);
    let (key, blind) =
        (std::mem::take(&mut capsule.seal_key), std::mem::take(&mut capsule.seal_blind));
    assert_eq!(judged(&world, &capsule, &with(&world, unknown.clone())), hold("seal-unknown"));
    (capsule.seal_key, capsule.seal_blind) = (key, blind);
    capsule.seal_blind[0] ^= 1;
    assert_eq!(judged(&world, &capsule, &with(&world, unknown.clone())), reject("wrong-seal"));
    capsule.opening.clear();
    assert_eq!(judged(&world, &capsule, &with(&world, own())), hold("not-opened"));
    // Once it has gone on, its seal is broken.
    world.transfer(FORGE, std::slice::from_ref(&lot));
    let later = world.capsule(&lot);
    let codes = judged(&world, &later, &with(&world, unknown)).1;
    assert!(codes.contains(&"seal-broken"), "{codes:?}");
}

#[test]
fn an_alert_turns_the_verdict_and_its_absence_must_be_shown() {
    let (mut world, lot) = story();
    let capsule = world.capsule(&lot);
    let mut silent = capsule.clone();
    silent.entries.retain(|entry| !entry.key.starts_with(b"alert/"));
    // Of the certificate, and of what describes its lots.
    let untold = (Outcome::Hold, vec!["alert-untold"; 2]);
    assert_eq!(judged(&world, &silent, &world.acceptance()), untold);
    let levels = [
        (pb::AlertLevel::Hold, Outcome::Hold, "on-hold"),
        (pb::AlertLevel::Recall, Outcome::Reject, "recalled"),
        (pb::AlertLevel::Revoke, Outcome::Reject, "revoked"),
    ];
    let (subject, key) = (
        world.records[0].opening.head().heading().alert_subject.to_vec(),
        world.records[0].alert.clone(),
    );
    for ((level, outcome, code), sequence) in levels.into_iter().zip(1..) {
        let alert = pb::Alert {
            subject: subject.clone(),
            level: level.into(),
            sequence,
            reason_digest: vec![1; 32],
            concern: false,
        };
        let payload = pb::body::Payload::Alert(alert);
        let raised = world.town.tx_with(MILL, payload, &[(pb::CoSigner::Alert, key.clone())]);
        world.town.commit(&[raised]);
        assert_eq!(
            judged(&world, &world.capsule(&lot), &world.acceptance()),
            (outcome, vec![code])
        );
    }
}

#[test]
fn concerns_count_for_those_who_say_so() {
    let (mut world, lot) = story();
    let alert = pb::Alert {
        subject: world.records[0].opening.head().heading().alert_subject.to_vec(),
        level: pb::AlertLevel::Recall.into(),
        sequence: 1,
        reason_digest: vec![1; 32],
        concern: true,
    };
    let raised = world.town.tx(LAB, pb::body::Payload::Alert(alert));
    world.town.commit(&[raised]);
    let capsule = world.capsule(&lot);
    assert_eq!(judged(&world, &capsule, &world.acceptance()), OK);
    let heard = Acceptance { concerns: vec![world.town.id(LAB)], ..world.acceptance() };
    assert_eq!(judged(&world, &capsule, &heard), (Outcome::Reject, vec!["recalled"]));
    let heard = Acceptance { concerns: vec![world.town.id(ASSEMBLER)], ..world.acceptance() };
    assert_eq!(judged(&world, &capsule, &heard), (Outcome::Hold, vec!["alert-untold"; 2]));
}

#[test]
fn an_old_header_says_nothing_of_today() {
    let (world, lot) = story();
    let mut late = world.acceptance();
    late.now.0 += late.max_age_ms;
    let stale = (Outcome::Hold, vec!["stale"]);
    assert_eq!(judged(&world, &world.capsule(&lot), &late), stale);
}

#[test]
fn origin_claims_are_shown_and_true() {
    let (world, lot) = story();
    let capsule = world.capsule(&lot);
    let claim = |at: &str, text: &str| Acceptance {
        claims: vec![Claim { path: path(at), one_of: vec![text.into(), "XX".into()] }],
        ..world.acceptance()
    };
    assert_eq!(judged(&world, &capsule, &claim("melt/country", "DE")), OK);
    let codes = judged(&world, &capsule, &claim("melt/country", "SE"));
    assert_eq!(codes, (Outcome::Reject, vec!["claim-false"]));
    let codes = judged(&world, &capsule, &claim("melt/shop", "Witten"));
    assert_eq!(codes, (Outcome::Hold, vec!["claim-missing"]));
    // A field of another value does not belong to the record.
    let mut bent = capsule.clone();
    let at = bent.records[0]
        .fields
        .iter()
        .position(|field| field.windows(2).any(|w| w == b"DE"))
        .unwrap();
    let byte = bent.records[0].fields[at].windows(2).position(|w| w == b"DE").unwrap();
    bent.records[0].fields[at][byte..byte + 2].copy_from_slice(b"SE");
    let codes = judged(&world, &bent, &claim("melt/country", "SE")).1;
    assert!(codes.contains(&"wrong-root"), "{codes:?}");
}

const LIMITS: &str = "standard = 'works standard 7'\nsample = 'heat'\nrounding = 'absolute'\n\
                      [[limit]]\nproperty = 'chemistry/C'\nunit = '%'\nmaximum = '0.030'\n";

#[test]
fn limits_are_proved_down_the_chain_without_the_number() {
    let (world, lot) = story();
    let mut capsule = world.capsule(&lot);
    let specification = heatmark_records::Specification::parse(LIMITS).unwrap().id();
    let policy = format!(
        "specifications = ['{specification}']\n[[require]]\nproperty = 'chemistry/C'\nas = 'proved'\n"
    );
    let demanding =
        Acceptance { policy: Some(Policy::parse(&policy).unwrap()), ..world.acceptance() };
    assert_eq!(judged(&world, &capsule, &demanding), (Outcome::Hold, vec!["property"]));
    world.prove(&world.records[0], LIMITS, &mut capsule.records[0]);
    assert_eq!(judged(&world, &capsule, &demanding), OK);
    let mut bent = capsule.clone();
    bent.records[0].purpose = "order 8".into();
    let (outcome, codes) = judged(&world, &bent, &demanding);
    assert_eq!((outcome, codes[0]), (Outcome::Reject, "conformance-proof"));
    let mut bent = capsule;
    bent.records[0].specification = LIMITS.replace("0.030", "0.022");
    let (outcome, codes) = judged(&world, &bent, &demanding);
    assert_eq!((outcome, codes[0]), (Outcome::Reject, "conformance-proof"));
}

#[test]
fn a_laboratory_attests_what_it_names() {
    let (mut world, lot) = story();
    let demanding = Acceptance { attested_by: vec![world.town.id(LAB)], ..world.acceptance() };
    let missing = (Outcome::Hold, vec!["not-attested"]);
    assert_eq!(judged(&world, &world.capsule(&lot), &demanding), missing);
    let named = world.records[0].id.to_string();
    let fields =
        [("attests/record", Value::Text(named)), ("result", Value::Text("conforms".into()))];
    world.publish(LAB, "attestation Heatmark 1", &fields);
    let demanding = Acceptance { attested_by: vec![world.town.id(LAB)], ..world.acceptance() };
    assert_eq!(judged(&world, &world.capsule(&lot), &demanding), OK);
    let other = Acceptance { attested_by: vec![world.town.id(ASSEMBLER)], ..world.acceptance() };
    assert_eq!(judged(&world, &world.capsule(&lot), &other), missing);
    // Its issuer attests nothing of its own, and what is no attestation attests nothing.
    world.publish(MILL, "attestation Heatmark 1", &fields);
    let own = Acceptance { attested_by: vec![world.town.id(MILL)], ..world.acceptance() };
    assert_eq!(judged(&world, &world.capsule(&lot), &own), missing);
    world.publish(ASSEMBLER, "Heatmark 1", &fields);
    let other = Acceptance { attested_by: vec![world.town.id(ASSEMBLER)], ..world.acceptance() };
    assert_eq!(judged(&world, &world.capsule(&lot), &other), missing);
}

#[test]
fn what_attests_a_description_may_stand_beside_it() {
    let (mut world, lot) = story();
    let about = |id: heatmark_records::RecordId| {
        [("attests/record", Value::Text(id.to_string())), ("result", Value::Text("good".into()))]
    };
    let described = world.descriptions[0].id;
    world.publish(LAB, "attestation Heatmark 1", &about(described));
    assert_eq!(judged(&world, &world.capsule(&lot), &world.acceptance()), OK);
    let unknown = heatmark_ledger::Hash(crate::town::bytes32("unknown"));
    world.publish(LAB, "attestation Heatmark 1", &about(unknown));
    let loose = (Outcome::Reject, vec!["record-unreached"]);
    assert_eq!(judged(&world, &world.capsule(&lot), &world.acceptance()), loose);
}

#[test]
fn an_attestation_commissions_nothing() {
    let mut world = World::new();
    let fields = [
        ("attests/record", Value::Text("00".repeat(32))),
        ("product/mass", crate::world::number("1", "t")),
    ];
    let attestation = world.publish(FORGE, "attestation Heatmark 1", &fields);
    let lots = world.commission(attestation, &[(1_000_000_000, 1)]);
    let refused = (Outcome::Reject, vec!["commissions-nothing"]);
    assert_eq!(judged(&world, &world.capsule(&lots[0]), &world.acceptance()), refused);
}

#[test]
fn a_mass_that_is_not_told_holds() {
    let (world, lot) = story();
    let capsule = world.capsule(&lot);
    let mass = |field: &Vec<u8>| {
        let field = heatmark_records::FieldProof::decode(field).unwrap();
        field.path.as_str() == "product/mass"
    };
    let mut silent = capsule;
    silent.records[0].fields.retain(|field| !mass(field));
    let held = (Outcome::Hold, vec!["uncertified", "mass-untold"]);
    assert_eq!(judged(&world, &silent, &world.acceptance()), held);
}

#[test]
fn what_describes_a_lot_or_its_making_may_stand_beside_it() {
    let mut world = World::new();
    let heat = world.certificate("1", "t");
    let billets = world.commission(heat, &[(1_000_000_000, 1)]);
    let note = world.publish(FORGE, "Heatmark 1", &[("furnace", Value::Text("F2".into()))]);
    let capsule = world.capsule(&billets[0]);
    let loose = (Outcome::Reject, vec!["record-unreached"]);
    assert_eq!(judged(&world, &capsule, &world.acceptance()), loose);
    let class = billets[0].lot.lot().content.class;
    let mut rings = world.lot(0, 1, class);
    let terms = heatmark_lots::Terms {
        class,
        description: world.records[note].id,
        serials: None,
        expires_ms: 0,
        seal: rings.lot.lot().seal,
    };
    rings.lot = heatmark_lots::OpenLot::fresh(1_000_000_000, 4, terms, &mut rand::rng());
    let rings = world.make_of((FORGE, Kind::Transform), &billets, vec![rings]);
    assert_eq!(judged(&world, &world.capsule(&rings[0]), &world.acceptance()), OK);
}

#[test]
fn a_copy_of_a_paper_commissions_for_those_who_say_so() {
    let mut world = World::new();
    let fields = [
        ("heat", Value::Text("H-1".into())),
        ("transcribed/from", Value::Text("Elsewhere".into())),
        ("product/mass", crate::world::number("1", "t")),
    ];
    let copy = world.publish(FORGE, "transcribed Heatmark 1", &fields);
    let lots = world.commission(copy, &[(1_000_000_000, 1)]);
    let capsule = world.capsule(&lots[0]);
    let held = (Outcome::Hold, vec!["transcribed"]);
    assert_eq!(judged(&world, &capsule, &world.acceptance()), held);
    let content = Acceptance { transcribed: true, ..world.acceptance() };
    assert_eq!(judged(&world, &capsule, &content), OK);
}

#[test]
fn lots_expire() {
    let (mut world, lot) = story();
    let class = lot.lot.lot().content.class;
    let mut sealant = world.lot(lot.lot.mass().number, 49, class);
    let expires = world.town.tip.time.0 + 100_000;
    let terms = heatmark_lots::Terms {
        class,
        description: sealant.lot.lot().content.description,
        serials: None,
        expires_ms: expires,
        seal: sealant.lot.lot().seal,
    };
    let (mass, pieces) = (lot.lot.mass().number, lot.lot.pieces().number);
    sealant.lot = heatmark_lots::OpenLot::fresh(mass, pieces, terms, &mut rand::rng());
    let out = world.make_of((ASSEMBLER, Kind::Rework), &[lot], vec![sealant]);
    let capsule = world.capsule(&out[0]);
    assert_eq!(judged(&world, &capsule, &world.acceptance()), OK);
    let mut late = world.acceptance();
    late.now.0 = expires;
    assert_eq!(judged(&world, &capsule, &late), (Outcome::Hold, vec!["expired"]));
}

#[test]
fn a_file_says_the_same_twice() {
    let (world, lot) = story();
    let bytes = world.capsule(&lot).encode_to_vec();
    let read = heatmark_evidence::capsule::Capsule::decode(&bytes).unwrap();
    assert_eq!(read.encode_to_vec(), bytes);
}
