//! More out than in: certified mass exceeded, quantities that are negative or wrap, pieces as mass, one material as another,
//! corrections that mint, serials that stand on two lots. The log takes them, since validators see no quantity; the receiver's node does not.

use super::Door;
use super::crooks::{Crooks, Draft, Held};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use heatmark_lots::{
    Amount, Amounts, Event, Kind, Lot, OpenAmount, OpenLot, Proofs, Range, SerialSecret,
    SerialTree, VERSION,
};
use heatmark_records::range::Transcript;
use prost::Message as _;

/// A tonne in milligrams.
const TONNE: u64 = 1_000_000_000;
const REJECTED: i32 = 1;

pub(super) async fn try_all(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    certified_mass_is_not_exceeded(crooks, door).await;
    a_certificate_commissions_once(crooks, door).await;
    negative_masses_are_out_of_range(crooks, door).await;
    sums_do_not_wrap(crooks, door).await;
    pieces_do_not_become_mass(crooks, door).await;
    a_correction_mints_nothing(crooks, door).await;
    cheap_material_does_not_become_dear(crooks, door).await;
    one_serial_is_not_on_two_lots(crooks, door).await;
}

/// Puts an event on the log as if it were sound, and sends the first of its lots.
async fn passed_off(
    crooks: &mut Crooks<'_>,
    door: &mut Door<'_>,
    (what, code): (&str, &str),
    draft: Draft<'_>,
    out: Vec<Held>,
) {
    let out = crooks.post("mill", draft, out).await;
    let capsule = crooks.capsule(&out[0]).await.encode_to_vec();
    let parcel = crooks.parcel("mill", &out[0], capsule);
    let parcel = crooks.signed("mill", parcel);
    door.rejects(what, &parcel, (REJECTED, code));
}

async fn certified_mass_is_not_exceeded(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    for (what, masses) in [
        ("more than certified, in one lot", &[TONNE + 1][..]),
        ("more than certified, over several lots", &[TONNE / 2, TONNE / 2, 1]),
    ] {
        let small = crooks.certificate("mill", "mill", "1").await;
        let large = crooks.certificate("mill", "mill", "3").await;
        let class = crooks.class(small);
        let out: Vec<Held> = masses.iter().map(|mass| crooks.lot(*mass, 1, class)).collect();
        let (event, mut witness) = crooks.commissioning(small, &out);
        // The honest maker refuses; the proofs are made for a certificate of 3 t.
        let certified = crooks.certified(small).0;
        let own = heatmark_lots::Making {
            network: crooks.net(),
            event: &event,
            witness: &witness,
            certified: Some(&certified),
        };
        assert!(own.prove(&mut rand::rng()).is_err(), "{what}");
        let (mass, opening) = crooks.certified(large);
        witness.certified = Some(opening);
        let proofs = crooks.prove(&event, &witness, Some(&mass));
        let seals = [crooks.records[small].seal];
        let draft = Draft { event: &event, proofs: &proofs, seals: &seals };
        passed_off(crooks, door, (what, "range"), draft, out).await;
    }
}

async fn a_certificate_commissions_once(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let heat = crooks.certificate("mill", "mill", "1").await;
    crooks.commission(heat, &[(TONNE, 1)]).await;
    let class = crooks.class(heat);
    let certified = crooks.certified(heat).0;
    let out = vec![crooks.lot(TONNE, 1, class)];
    let (event, witness) = crooks.commissioning(heat, &out);
    let proofs = crooks.prove(&event, &witness, Some(&certified));
    let origin = crooks.records[heat].seal;
    let again = Draft { event: &event, proofs: &proofs, seals: &[origin] };
    let refused = crooks.try_post("mill", &again).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("seal-broken"), "{refused}");
    // Under a seal that is not the certificate's, and under none.
    let other = crooks.seal();
    let draft = Draft { event: &event, proofs: &proofs, seals: &[other] };
    let what = ("a second commission under another seal", "wrong-seal");
    passed_off(crooks, door, what, draft, out).await;
    let out = vec![crooks.lot(TONNE, 1, class)];
    let (event, witness) = crooks.commissioning(heat, &out);
    let proofs = crooks.prove(&event, &witness, Some(&certified));
    let draft = Draft { event: &event, proofs: &proofs, seals: &[] };
    let what = ("a second commission under no seal", "seal-count");
    passed_off(crooks, door, what, draft, out).await;
}

/// A billet of a certificate of its own.
async fn billet(crooks: &mut Crooks<'_>, mass: u64, pieces: u64) -> Held {
    let heat = crooks.certificate("mill", "mill", "5").await;
    crooks.commission(heat, &[(mass, pieces)]).await.remove(0)
}

fn class(held: &Held) -> heatmark_ledger::Hash {
    held.lot.lot().content.class
}

fn point(amount: &Amount) -> RistrettoPoint {
    CompressedRistretto(*amount.as_bytes()).decompress().unwrap()
}

/// A commitment to the negative of a quantity, which no honest maker can write, and what hides it.
fn negative(number: u64) -> (Amount, Scalar) {
    let open = OpenAmount::fresh(number, &mut rand::rng());
    let minus = -point(&open.amount());
    (Amount::decode(minus.compress().as_bytes()).unwrap(), -open.blinding.scalar())
}

/// What a balance is proved of: the sum, and what hides it if it is a sum of zero.
type Balance = (RistrettoPoint, Scalar);

/// Proofs of balances by somebody who knows the protocol and what hides each sum, after the specification, beside range proofs
/// of something else.
fn forged(
    network: &[u8; 32],
    (event, inputs): (&Event, &[&Lot]),
    (ranges, statements): (Vec<Vec<u8>>, u64),
    balances: &[Balance],
) -> Proofs {
    let mut transcript = Transcript::new(b"heatmark/v1/lot-event");
    transcript.append_u64(b"version", VERSION.into());
    transcript.append_message(b"network", network);
    transcript.append_u64(b"kind", event.kind.code().into());
    transcript.append_message(b"event", &event.encode());
    transcript.append_u64(b"inputs", inputs.len() as u64);
    for input in inputs {
        transcript.append_message(b"input", &input.encode());
    }
    transcript.append_u64(b"outputs", event.outputs.len() as u64);
    transcript.append_u64(b"ranges", statements);
    transcript.append_u64(b"balances", balances.len() as u64);
    for proof in &ranges {
        transcript.append_message(b"range-proof", proof);
    }
    let prove = |(sum, secret): &Balance| {
        let nonce = heatmark_records::Blinding::random(&mut rand::rng());
        let first = (nonce.scalar() * heatmark_records::blinding_table()).compress();
        transcript.append_message(b"balance", sum.compress().as_bytes());
        transcript.append_message(b"nonce", first.as_bytes());
        let mut wide = [0; 64];
        transcript.challenge_bytes(b"challenge", &mut wide);
        let answer = nonce.scalar() + Scalar::from_bytes_mod_order_wide(&wide) * secret;
        [first.to_bytes(), answer.to_bytes()].concat()
    };
    Proofs { ranges, balances: balances.iter().map(prove).collect(), serials: Vec::new() }
}

fn hiding(amount: &OpenAmount) -> Scalar {
    *amount.blinding.scalar()
}

fn mass(lot: &OpenLot) -> Balance {
    (point(&lot.lot().content.mass), hiding(lot.mass()))
}

fn pieces(lot: &OpenLot) -> Balance {
    (point(&lot.lot().content.pieces), hiding(lot.pieces()))
}

fn less(from: Balance, what: Balance) -> Balance {
    (from.0 - what.0, from.1 - what.1)
}

async fn negative_masses_are_out_of_range(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let input = billet(crooks, 1_000, 10).await;
    let class = class(&input);
    // 1,500 mg and −500 mg out of 1,000 mg: the balance is honest, and only the range is not.
    let out = vec![crooks.lot(1_500, 6, class), crooks.lot(0, 4, class)];
    let (mut event, _) = crooks.making(Kind::Transform, std::slice::from_ref(&input), &out);
    event.scrap = None;
    let (minus, hidden) = negative(500);
    event.outputs[1].content.mass = minus;
    let twin = vec![crooks.lot(600, 6, class), crooks.lot(400, 4, class)];
    let (honest, witness) = crooks.making(Kind::Transform, std::slice::from_ref(&input), &twin);
    let ranges = crooks.prove(&honest, &witness, None).ranges;
    let sum = less(less(mass(&input.lot), mass(&out[0].lot)), (point(&minus), hidden));
    let facts = (&event, &[input.lot.lot()][..]);
    let proofs = forged(crooks.net(), facts, (ranges, 2), &[sum]);
    let draft = Draft { event: &event, proofs: &proofs, seals: &[input.seal] };
    passed_off(crooks, door, ("a negative mass", "range"), draft, out).await;
}

async fn sums_do_not_wrap(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let half = 1_u64 << 63;
    let input = billet(crooks, 0, 10).await;
    let class = class(&input);
    let out = vec![crooks.lot(half, 6, class), crooks.lot(half, 4, class)];
    let (event, witness) = crooks.making(Kind::Transform, std::slice::from_ref(&input), &out);
    let own = heatmark_lots::Making {
        network: crooks.net(),
        event: &event,
        witness: &witness,
        certified: None,
    };
    assert!(own.prove(&mut rand::rng()).is_err(), "an honest maker refuses");
    let twin = vec![crooks.lot(0, 6, class), crooks.lot(0, 4, class)];
    let (honest, witness) = crooks.making(Kind::Transform, std::slice::from_ref(&input), &twin);
    let ranges = crooks.prove(&honest, &witness, None).ranges;
    let sum = less(less(mass(&input.lot), mass(&out[0].lot)), mass(&out[1].lot));
    let facts = (&event, &[input.lot.lot()][..]);
    let proofs = forged(crooks.net(), facts, (ranges, 2), &[sum]);
    let draft = Draft { event: &event, proofs: &proofs, seals: &[input.seal] };
    passed_off(crooks, door, ("2^63 + 2^63 of nothing", "balance"), draft, out).await;
    // A quantity beyond 64 bits, and another than is committed to, do not get through the encoding.
    let input = billet(crooks, 7, 10).await;
    let capsule = crooks.capsule(&input).await.encode_to_vec();
    let honest = crooks.parcel("mill", &input, capsule);
    let open = &honest.lots[0].open;
    // Behind the lot, whose length takes two bytes.
    let at = 3 + usize::from(open[1] & 0x7f) + (usize::from(open[2]) << 7);
    assert_eq!(open[at..at + 2], [0x10, 7]);
    let changed = |number: &[u8]| [&open[..at], &[0x10], number, &open[at + 2..]].concat();
    let beyond = [0x87, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02];
    for (what, open, code) in [
        ("2^64 + 7 milligrams", changed(&beyond), "not-canonical"),
        ("8 milligrams where 7 are committed to", changed(&[8]), "wrong-opening"),
    ] {
        let mut parcel = honest.clone();
        parcel.lots[0].open = open;
        let parcel = crooks.signed("mill", parcel);
        door.refuses(what, &parcel, code);
    }
}

async fn pieces_do_not_become_mass(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let input = billet(crooks, 1_000, 15).await;
    let class = class(&input);
    // 5 pieces fewer and 5 mg more: the sums of both together would balance.
    let out = vec![crooks.lot(1_005, 10, class)];
    let twin = vec![crooks.lot(1_000, 15, class)];
    let (honest, witness) = crooks.making(Kind::Rework, std::slice::from_ref(&input), &twin);
    let ranges = crooks.prove(&honest, &witness, None).ranges;
    let (event, witness) = crooks.making(Kind::Rework, std::slice::from_ref(&input), &out);
    let scrap = witness.scrap.as_ref().unwrap();
    let (lost, gone) = (&scrap.0, scrap.1.as_ref().unwrap());
    let masses =
        less(less(mass(&input.lot), mass(&out[0].lot)), (point(&lost.amount()), hiding(lost)));
    let counts =
        less(less(pieces(&input.lot), pieces(&out[0].lot)), (point(&gone.amount()), hiding(gone)));
    let facts = (&event, &[input.lot.lot()][..]);
    let proofs = forged(crooks.net(), facts, (ranges, 4), &[masses, counts]);
    let draft = Draft { event: &event, proofs: &proofs, seals: &[input.seal] };
    passed_off(crooks, door, ("pieces pumped into mass", "balance"), draft, out).await;
}

async fn a_correction_mints_nothing(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let input = billet(crooks, 1_000, 10).await;
    let class = class(&input);
    let twin = vec![crooks.lot(900, 10, class)];
    let (honest, witness) = crooks.making(Kind::Correct, std::slice::from_ref(&input), &twin);
    let ranges = crooks.prove(&honest, &witness, None).ranges;
    // 1,500 mg after the correction of 1,000: the loss is −500 mg, and the balance honest.
    let out = vec![crooks.lot(1_500, 10, class)];
    let (mut event, witness) = crooks.making(Kind::Correct, std::slice::from_ref(&input), &out);
    let (minus, hidden) = negative(500);
    let gone = witness.scrap.as_ref().unwrap().1.as_ref().unwrap();
    event.scrap = Some(Amounts { mass: minus, pieces: Some(gone.amount()) });
    let masses = less(less(mass(&input.lot), mass(&out[0].lot)), (point(&minus), hidden));
    let counts =
        less(less(pieces(&input.lot), pieces(&out[0].lot)), (point(&gone.amount()), hiding(gone)));
    let facts = (&event, &[input.lot.lot()][..]);
    let proofs = forged(crooks.net(), facts, (ranges, 4), &[masses, counts]);
    let draft = Draft { event: &event, proofs: &proofs, seals: &[input.seal] };
    passed_off(crooks, door, ("a correction that mints", "range"), draft, out).await;
    // Without a loss it is no correction: such a body cannot even be read.
    let input = billet(crooks, 1_000, 10).await;
    let out = vec![crooks.lot(1_500, 10, input.lot.lot().content.class)];
    let (mut event, _) = crooks.making(Kind::Correct, std::slice::from_ref(&input), &out);
    event.scrap = None;
    assert!(Event::decode(&event.encode()).is_err());
    let draft = Draft { event: &event, proofs: &Proofs::default(), seals: &[input.seal] };
    let out = crooks.post("mill", draft, out).await;
    let leaf = out[0].at.0;
    let mut capsule = crooks.capsule(&input).await;
    let logged = crooks.events[&leaf].clone();
    let path = crooks.receipt(leaf, heatmark_ledger::ids::Height(capsule_height(&capsule))).await;
    let path = path.inclusion_path.concat();
    capsule.events.push(heatmark_evidence::capsule::CapsuleEvent { path, ..logged });
    (capsule.leaf, capsule.output) = out[0].at;
    let parcel = crooks.parcel("mill", &out[0], capsule.encode_to_vec());
    let parcel = crooks.signed("mill", parcel);
    door.refuses("a correction without its loss", &parcel, "wrong-capsule");
}

fn capsule_height(capsule: &heatmark_evidence::capsule::Capsule) -> u64 {
    capsule.header.as_ref().unwrap().height
}

async fn cheap_material_does_not_become_dear(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let inputs = [billet(crooks, TONNE, 1).await, billet(crooks, TONNE, 1).await];
    let out = vec![crooks.lot(2 * TONNE, 2, class(&inputs[0]))];
    let (event, _) = crooks.making(Kind::Merge, &inputs, &out);
    let seals = inputs.each_ref().map(|held| held.seal);
    let draft = Draft { event: &event, proofs: &Proofs::default(), seals: &seals };
    let what = ("a cheap material merged into a dear one", "class");
    passed_off(crooks, door, what, draft, out).await;
    let (dear, cheap) = (billet(crooks, TONNE, 1).await, billet(crooks, TONNE, 1).await);
    let out = vec![crooks.lot(TONNE, 1, class(&dear))];
    let (event, _) = crooks.making(Kind::Transform, std::slice::from_ref(&cheap), &out);
    let draft = Draft { event: &event, proofs: &Proofs::default(), seals: &[cheap.seal] };
    let what = ("a cheap material worked into a dear one", "class");
    passed_off(crooks, door, what, draft, out).await;
}

async fn one_serial_is_not_on_two_lots(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let heat = crooks.certificate("mill", "mill", "5").await;
    let billets = crooks.commission(heat, &[(TONNE, 1), (TONNE, 1)]).await;
    let serials = (0..10).map(|n| format!("SN{n}")).collect();
    let tree = SerialTree::new(serials, &SerialSecret::new(rand::random())).unwrap();
    let all = || Some(tree.serials(vec![Range { first: 0, count: 10 }]).unwrap());
    let class = class(&billets[0]);
    let mut halves = Vec::new();
    for billet in &billets {
        let lot = crooks.numbered_lot((TONNE, 10), class, all());
        let made = crooks.make(("mill", Kind::Transform), std::slice::from_ref(billet), vec![lot]);
        halves.push(made.await.remove(0));
    }
    let both = vec![crooks.lot(2 * TONNE, 20, class)];
    let both = crooks.make(("mill", Kind::Merge), &halves, both).await;
    let capsule = crooks.capsule(&both[0]).await.encode_to_vec();
    let parcel = crooks.parcel("mill", &both[0], capsule);
    let parcel = crooks.signed("mill", parcel);
    door.rejects("one serial on two lots", &parcel, (REJECTED, "serial-twice"));
}
