//! Attestations in capsules are judged as those of files are: whose, of which field, within which accreditation, agreeing or not.

use heatmark_evidence::Policy;
use heatmark_evidence::capsule::{Acceptance, Capsule, Check, Outcome, Part};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::state;
use heatmark_records::{Moment, Value};

use crate::story;
use crate::world::{ASSEMBLER, FORGE, Held, LAB, MILL, World, number, path};

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn day(text: &str) -> Value {
    Value::Moment(Moment::new(text).unwrap())
}

/// What the report of a laboratory says of the certificate's carbon, before anybody changes it.
fn report(world: &World, result: &str) -> Vec<(&'static str, Value)> {
    let mill = &world.records[0];
    let carbon = mill.opening.tree().unwrap().show(&path("chemistry/C")).unwrap();
    let leaf = carbon.leaf(mill.opening.head()).unwrap();
    vec![
        ("attests/record", text(&mill.id.to_string())),
        ("attests/measured/chemistry/C", text(&leaf.to_string())),
        ("chemistry/C", number(result, "%")),
        ("sample/type", text("product")),
        ("test/method", text("ASTM E415-21")),
        ("test/date", day("2026-10-20")),
        ("accreditation/body", text("COFRAC")),
        ("accreditation/number", text("1-0815")),
        ("accreditation/valid-from", day("2024-01-01")),
        ("accreditation/valid-until", day("2027-12-31")),
        ("accreditation/scope/1/property", text("chemistry/*")),
    ]
}

/// The codes of a capsule in which everything but masses is shown, by a policy that wants carbon attested.
fn judged(world: &World, lot: &Held, terms: &str) -> (Outcome, Vec<&'static str>) {
    judge(world, &shown(world, lot), terms)
}

fn judge(world: &World, capsule: &Capsule, terms: &str) -> (Outcome, Vec<&'static str>) {
    let policy = format!("[[require]]\nproperty = 'chemistry/C'\nas = 'attested'\n{terms}");
    let policy = Some(Policy::parse(&policy).unwrap());
    let verdict = world.inspect_by(capsule, &Acceptance { policy, ..world.acceptance() }).unwrap();
    let attested = verdict.findings.iter().filter(|f| f.check == Check::Attested);
    assert!(attested.clone().all(|f| !f.evidence.is_empty()), "every finding tells its evidence");
    (verdict.outcome(), verdict.codes())
}

fn shown(world: &World, lot: &Held) -> Capsule {
    let mut capsule = world.capsule(lot);
    for record in &mut capsule.records {
        let filed = world.records.iter().find(|filed| filed.id.0.to_vec() == record.record);
        *record = world.disclosed_but(filed.unwrap(), &["product/mass"]);
    }
    capsule
}

fn hold(code: &'static str) -> (Outcome, Vec<&'static str>) {
    (Outcome::Hold, vec![code])
}

const OK: (Outcome, Vec<&str>) = (Outcome::Accept, Vec::new());

#[test]
fn nobodys_word_and_the_issuers_own_will_not_do() {
    let (mut world, lot) = story();
    assert_eq!(judged(&world, &lot, ""), hold("not-attested"));
    let own = report(&world, "0.021");
    world.publish(MILL, "attestation Heatmark 1", &own);
    assert_eq!(judged(&world, &lot, ""), hold("not-independent"));
}

#[test]
fn a_laboratorys_result_counts_by_what_the_policy_asks_of_it() {
    let (mut world, lot) = story();
    let report = report(&world, "0.023");
    world.publish(LAB, "attestation Heatmark 1", &report);
    assert_eq!(judged(&world, &lot, ""), OK);
    let (lab, other) = (world.town.id(LAB), world.town.id(ASSEMBLER));
    assert_eq!(judged(&world, &lot, &format!("attested_by = ['{lab}']")), OK);
    assert_eq!(judged(&world, &lot, &format!("attested_by = ['{other}']")), hold("attester"));
    assert_eq!(judged(&world, &lot, "sample = 'product'"), OK);
    assert_eq!(judged(&world, &lot, "sample = 'heat'"), hold("attested-sample"));
    assert_eq!(judged(&world, &lot, "within = '0.002 %'"), OK);
    assert_eq!(judged(&world, &lot, "within = '0.001 %'"), hold("results-differ"));
    // The capsule that does not show both results does not let them be compared.
    let hidden = world.capsule(&lot);
    assert_eq!(judge(&world, &hidden, "within = '0.002 %'"), hold("agreement-untold"));
    // It is told as what it is.
    let verdict = world.inspect(&shown(&world, &lot)).unwrap();
    let parts: Vec<Part> = verdict.told.iter().map(|told| told.part).collect();
    assert_eq!(parts, [Part::Certificate, Part::Attestation]);
}

#[test]
fn a_role_counts_only_where_the_registry_in_the_capsule_tells_it() {
    let (mut world, lot) = story();
    let report = report(&world, "0.021");
    world.publish(FORGE, "attestation Heatmark 1", &report);
    let demand = "attested_by = ['supplier', 'assembler', 'lab']";
    let mut capsule = shown(&world, &lot);
    let told = judge(&world, &capsule, demand);
    assert_eq!(told, OK, "the forge's role is told");
    let forge = state::member_key(&world.town.id(FORGE));
    capsule.entries.retain(|entry| entry.key != forge);
    assert_eq!(judge(&world, &capsule, demand), hold("attester"));
}

#[test]
fn another_field_an_untold_field_and_a_lapsed_accreditation_hold() {
    for (at, value, code) in [
        ("attests/measured/chemistry/C", text(&"ab".repeat(32)), "attests-other-field"),
        ("accreditation/valid-until", day("2026-10-19"), "out-of-accreditation"),
        ("accreditation/scope/1/property", text("mechanical/*"), "out-of-accreditation"),
        ("attests/record", text(&"cd".repeat(32)), "record-unreached"),
    ] {
        let (mut world, lot) = story();
        let mut report = report(&world, "0.021");
        report.iter_mut().find(|(path, _)| *path == at).unwrap().1 = value;
        world.publish(LAB, "attestation Heatmark 1", &report);
        let (outcome, codes) = judged(&world, &lot, "");
        assert!(codes.contains(&code), "{at}: {codes:?}");
        assert_ne!(outcome, Outcome::Accept, "{at}");
    }
    // Confirmed is what is told here, and nothing else.
    let (mut world, lot) = story();
    let mut confirmed = report(&world, "0.021");
    confirmed.retain(|(path, _)| *path != "chemistry/C");
    confirmed[1].0 = "attests/confirmed/chemistry/C";
    world.publish(LAB, "attestation Heatmark 1", &confirmed);
    assert_eq!(judged(&world, &lot, "accredited = false"), OK);
    let mut capsule = shown(&world, &lot);
    let mill = world.records[0].id.0.to_vec();
    let certificate = capsule.records.iter_mut().find(|record| record.record == mill).unwrap();
    *certificate = world.disclosed_without(&world.records[0], "chemistry/C");
    assert_eq!(judge(&world, &capsule, "accredited = false"), hold("attests-untold-field"));
}

#[test]
fn an_attesters_stolen_key_counts_for_nothing() {
    let (mut world, lot) = story();
    let report = report(&world, "0.021");
    world.publish(LAB, "attestation Heatmark 1", &report);
    let mut capsule = shown(&world, &lot);
    let key = state::key_key(&PublicKey::of(&world.town.members[LAB].signing).id());
    capsule.entries.retain(|entry| entry.key != key);
    let (outcome, codes) = judge(&world, &capsule, "");
    assert_eq!((outcome, codes), (Outcome::Hold, vec!["issuer-untold", "attester-key"]));
}

#[test]
fn what_calls_itself_an_attestation_and_was_commissioned_is_no_certificate() {
    let (mut world, _) = story();
    let fields = [("heat", text("H-9")), ("product/mass", number("1", "t"))];
    let odd = world.publish(MILL, "attestation Heatmark 1", &fields);
    let lots = world.commission(odd, &[(1_000_000_000, 1)]);
    let policy = Some(Policy::parse("[[require]]\nproperty = 'heat'\nas = 'shown'\n").unwrap());
    let id = world.records[odd].id.0.to_vec();
    let mut capsule = world.capsule(&lots[0]);
    capsule.records.retain(|record| record.record == id);
    capsule.events.retain(|event| event.leaf == lots[0].at.0);
    let verdict = world.inspect_by(&capsule, &Acceptance { policy, ..world.acceptance() }).unwrap();
    let codes = vec!["commissions-nothing", "not-attested"];
    assert_eq!((verdict.outcome(), verdict.codes()), (Outcome::Reject, codes));
}
