//! Nothing is used once it has expired, and nothing outlives what it is made of unless the receiver says so.

use heatmark_evidence::capsule::{Acceptance, Outcome};
use heatmark_lots::{Kind, OpenLot, Terms};

use crate::world::{ASSEMBLER, FORGE, Held, MILL, World};

const OK: (Outcome, Vec<&'static str>) = (Outcome::Accept, Vec::new());

fn hold(code: &'static str) -> (Outcome, Vec<&'static str>) {
    (Outcome::Hold, vec![code])
}

fn judged(world: &World, lot: &Held, acceptance: &Acceptance) -> (Outcome, Vec<&'static str>) {
    let verdict = world.inspect_by(&world.capsule(lot), acceptance).unwrap();
    (verdict.outcome(), verdict.codes())
}

/// The same quantities under another expiry.
fn until(world: &mut World, held: &Held, expires_ms: u64) -> Held {
    let (seal, content) = (world.seal(), held.lot.lot().content.clone());
    let terms = Terms {
        class: content.class,
        description: content.description,
        serials: content.serials,
        expires_ms,
        seal: world.seeds.seal(seal),
    };
    let (mass, pieces) = (held.lot.mass().clone(), held.lot.pieces().clone());
    let lot = OpenLot::seal(mass, pieces, terms, &mut rand::rng());
    Held { lot, at: (0, 0), seal }
}

/// Sealant that expires so long from now.
fn sealant(lasts_ms: u64) -> (World, Held, u64) {
    let mut world = World::new();
    let batch = world.certificate("1", "t");
    let lots = world.commission(batch, &[(1_000_000, 1)]);
    let expires = world.town.tip.time.0 + lasts_ms;
    let out = until(&mut world, &lots[0], expires);
    let sealant = world.make_of((MILL, Kind::Rework), &lots, vec![out]);
    (world, sealant[0].clone(), expires)
}

fn pass_time(world: &mut World, ms: u64) {
    let until = world.town.tip.time.0 + ms;
    while world.town.tip.time.0 < until {
        let anchor = world.town.anchor(MILL);
        world.town.commit(&[anchor]);
    }
}

#[test]
fn what_had_expired_when_it_was_used_is_refused() {
    let (mut world, sealant, expires) = sealant(5_000);
    pass_time(&mut world, 6_000);
    assert!(world.town.tip.time.0 >= expires);
    // It can be handed over, and is told to be expired.
    let bought = world.transfer(FORGE, &[sealant]);
    assert_eq!(judged(&world, &bought[0], &world.acceptance()), hold("expired"));
    let out = until(&mut world, &bought[0], 0);
    let washed = world.make_of((FORGE, Kind::Transform), &bought, vec![out]);
    let washed = world.transfer(ASSEMBLER, &washed);
    let content = Acceptance { extended: true, ..world.acceptance() };
    let refused = (Outcome::Reject, vec!["expired-input"]);
    assert_eq!(judged(&world, &washed[0], &content), refused);
}

#[test]
fn what_may_have_expired_when_it_was_used_is_held() {
    // Transactions in this town may stand for five minutes.
    let (mut world, sealant, expires) = sealant(200_000);
    let out = until(&mut world, &sealant, expires);
    let used = world.make_of((FORGE, Kind::Transform), &[sealant], vec![out]);
    assert_eq!(judged(&world, &used[0], &world.acceptance()), hold("expired-input"));
}

#[test]
fn what_is_used_in_time_is_accepted_and_may_last_longer_if_the_receiver_says_so() {
    let (mut world, sealant, expires) = sealant(400_000);
    let same = until(&mut world, &sealant, expires);
    let used = world.make_of((FORGE, Kind::Transform), &[sealant], vec![same]);
    assert_eq!(judged(&world, &used[0], &world.acceptance()), OK);
    for (kind, after) in [(Kind::Transform, 0), (Kind::Service, expires + 1)] {
        let (mut world, sealant, expires) = self::sealant(400_000);
        assert!(after == 0 || after > expires);
        let longer = until(&mut world, &sealant, after);
        let cured = world.make_of((FORGE, kind), &[sealant], vec![longer]);
        assert_eq!(judged(&world, &cured[0], &world.acceptance()), hold("expiry-extended"));
        let content = Acceptance { extended: true, ..world.acceptance() };
        assert_eq!(judged(&world, &cured[0], &content), OK);
    }
}
