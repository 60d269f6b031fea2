//! Transactions on the registry of members: keys, leaving, proposals and votes.

use super::*;

pub(super) fn registry(cases: &mut Cases) {
    use pb::KeyRole::{Consensus, P2p, Root, Signing};
    let new = key("a new key");
    let mill = cases.town.members[0].root.clone();
    let both = vec![(CoSigner::Root, mill.clone()), (CoSigner::NewKey, new.clone())];
    let turn = |town: &Town, key: &SigningKey, role| rotate(&town.members[0], key, role);
    let sound = turn(&cases.town, &new, Signing);
    cases.cosigned("a rotation", Payload::RotateKey(sound.clone()), &both, "ok");
    for (name, cosigners, expect) in [
        ("a rotation without the root key", both[1..].to_vec(), "cosignatures"),
        ("a rotation without the new key", both[..1].to_vec(), "cosignatures"),
        (
            "a rotation with both in the wrong order",
            vec![both[1].clone(), both[0].clone()],
            "cosignatures",
        ),
        (
            "a rotation with another member's root key",
            vec![(CoSigner::Root, cases.town.members[1].root.clone()), both[1].clone()],
            "cosignatures",
        ),
        (
            "a rotation with another new key",
            vec![both[0].clone(), (CoSigner::NewKey, key("another key"))],
            "cosignatures",
        ),
    ] {
        cases.cosigned(name, Payload::RotateKey(sound.clone()), &cosigners, expect);
    }
    let consensus = turn(&cases.town, &new, Consensus);
    cases.cosigned("a rotation of a consensus key", Payload::RotateKey(consensus), &both, "ok");
    let root = turn(&cases.town, &new, Root);
    cases.cosigned("a rotation of a root key", Payload::RotateKey(root), &both, "entry");
    let known = cases.town.members[1].p2p.clone();
    let taken = turn(&cases.town, &known, P2p);
    let cosigners = [both[0].clone(), (CoSigner::NewKey, known)];
    cases.cosigned(
        "a rotation to a known key",
        Payload::RotateKey(taken),
        &cosigners,
        "key-in-use",
    );
    let unknown = pb::RotateKey { member: vec![5; 32], ..sound.clone() };
    cases.cosigned("a stranger's rotation", Payload::RotateKey(unknown), &both, "unknown-member");
    let short = pb::RotateKey { member: vec![5; 31], ..sound.clone() };
    cases.cosigned("a member of 31 bytes", Payload::RotateKey(short), &both, "field");
    let future = pb::RotateKey { compromised_since: 1_000, ..sound.clone() };
    cases.cosigned("compromised in the future", Payload::RotateKey(future), &both, "field");
    let none = pb::RotateKey { new_key: None, ..sound.clone() };
    cases.cosigned("a rotation to no key", Payload::RotateKey(none), &both, "field");
    let weak = pb::PublicKey { key: identity(), ..public_key(Signing, &new) };
    let weak = pb::RotateKey { new_key: Some(weak), ..sound };
    cases.cosigned(
        "a rotation to the identity",
        Payload::RotateKey(weak),
        &both,
        "unacceptable-key",
    );

    let leave =
        |town: &Town, who: usize| Payload::Leave(pb::Leave { member: town.id(who).to_vec() });
    let by_root = [(CoSigner::Root, mill)];
    let validator = leave(&cases.town, 0);
    cases.cosigned("a validator leaves", validator.clone(), &by_root, "still-validator");
    cases.plain("a leave without the root key", validator, "cosignatures");
    let gone = Payload::Leave(pb::Leave {
        member: heatmark_ledger::keys::member_id(
            &cases.town.tip.network,
            &PublicKey::of(&key("Gone root")).id(),
        )
        .to_vec(),
    });
    let its_root = [(CoSigner::Root, key("Gone root"))];
    cases.cosigned("a member leaves twice", gone, &its_root, "member-not-active");
    let nobody = Payload::Leave(pb::Leave { member: vec![1; 32] });
    cases.cosigned("a stranger leaves", nobody, &by_root, "unknown-member");
}

pub(super) fn actions(cases: &mut Cases) {
    use pb::Role::{Assembler, Supplier, Validator};
    let roles = [Supplier, Validator];
    let sound = town::entry("Newcomer", &roles);
    let cosigners = town::entry_cosigners("Newcomer", &roles);
    let mut add = |name, change: &dyn Fn(&mut pb::MemberEntry), expect| {
        let mut entry = sound.clone();
        change(&mut entry);
        cases.cosigned(name, propose(Action::AddMember(entry)), &cosigners, expect);
    };
    add("a new member", &|_| (), "ok");
    add("a name with a space at its end", &|e| e.legal_name.push(' '), "entry");
    add("no name", &|e| e.legal_name.clear(), "entry");
    add("a name of 201 characters", &|e| e.legal_name = "ä".repeat(201), "entry");
    add("a name with a line break", &|e| e.legal_name = "a\nb".to_owned(), "entry");
    add("a country in small letters", &|e| e.country = "de".to_owned(), "entry");
    add("an unknown scheme", &|e| e.identifiers = vec![identifier("duns", "1")], "entry");
    add("an empty identifier", &|e| e.identifiers = vec![identifier("lei", "")], "entry");
    add(
        "identifiers out of order",
        &|e| e.identifiers = vec![identifier("lei", "2"), identifier("lei", "1")],
        "entry",
    );
    add("seventeen identifiers", &|e| e.identifiers = vec![identifier("lei", "1"); 17], "entry");
    add("roles out of order", &|e| e.roles.reverse(), "entry");
    add("a role twice", &|e| e.roles = vec![1, 1, 6], "entry");
    add("no role", &|e| e.roles.clear(), "entry");
    add("a role that is none", &|e| e.roles = vec![0, 6], "entry");
    add("an unknown role", &|e| e.roles = vec![1, 7], "malformed");
    add("a consensus key without the role", &|e| e.roles = vec![1], "entry");
    add("an envelope key of zeros", &|e| e.keys[3].key = vec![0; 32], "entry");
    add("keys out of order", &|e| e.keys.swap(0, 1), "cosignatures");
    add("a key less than co-signed", &|e| drop(e.keys.pop()), "cosignatures");
    add("a key nobody co-signed", &|e| e.keys[1].key = public(&key("other")), "cosignatures");
    let mill = cases.town.members[0].root.clone();
    let mut taken = sound.clone();
    taken.keys[0].key = public(&mill);
    let mut by_taken = cosigners.clone();
    by_taken[0].1 = mill;
    cases.cosigned("a known key", propose(Action::AddMember(taken)), &by_taken, "key-in-use");
    cases.plain("no action", Payload::Propose(pb::Propose { action: None }), "action");

    let of = |town: &Town, who: usize| target(&town.members[who]);
    let (active, suspended) = (of(&cases.town, 2), of(&cases.town, 3));
    cases.plain("a suspension", propose(Action::Suspend(active.clone())), "ok");
    cases.plain(
        "a suspension of one suspended",
        propose(Action::Suspend(suspended.clone())),
        "action",
    );
    cases.plain("a reinstatement", propose(Action::Reinstate(suspended)), "ok");
    cases.plain(
        "a reinstatement of one active",
        propose(Action::Reinstate(active.clone())),
        "action",
    );
    let unreasoned = pb::MemberAction { reason_digest: Vec::new(), ..active.clone() };
    cases.plain("a suspension without reason", propose(Action::Suspend(unreasoned)), "field");
    let stranger = pb::MemberAction { member: vec![8; 32], ..active };
    cases.plain("a stranger's suspension", propose(Action::Suspend(stranger)), "unknown-member");

    let member = cases.town.id(1).to_vec();
    let set_roles =
        |roles: Vec<i32>| propose(Action::SetRoles(pb::SetRoles { member: member.clone(), roles }));
    cases.plain("new roles", set_roles(vec![Assembler as i32]), "ok");
    cases.plain(
        "the validator's role by a vote on roles",
        set_roles(vec![Validator as i32]),
        "action",
    );
    cases.plain("no roles", set_roles(vec![]), "entry");

    let power = |town: &Town, who: usize, power| town::set_power(&town.members[who], power);
    let (more, too_much, none) =
        (power(&cases.town, 1, 5), power(&cases.town, 1, (1 << 40) + 1), power(&cases.town, 1, 0));
    cases.plain("more power", more, "ok");
    cases.plain("too much power", too_much, "action");
    cases.plain("no power", none, "ok");
    let to_suspended = power(&cases.town, 3, 2);
    cases.plain("power for one suspended", to_suspended, "action");
    let foreign = pb::SetValidator {
        member: cases.town.id(1).to_vec(),
        consensus_key: public(&key("x")),
        power: 1,
    };
    cases.plain(
        "power for an unregistered key",
        propose(Action::SetValidator(foreign.clone())),
        "action",
    );
    let nothing = pb::SetValidator { power: 0, ..foreign.clone() };
    cases.plain("no power for one without", propose(Action::SetValidator(nothing)), "action");
    let weak = pb::SetValidator { consensus_key: identity(), ..foreign };
    cases.plain("power for the identity", propose(Action::SetValidator(weak)), "unacceptable-key");

    let parameters = cases.town.genesis.document().parameters.to_proto();
    cases.plain("the same parameters", propose(Action::Parameters(parameters)), "ok");
    let wild = pb::Parameters { max_block_bytes: 131_071, ..parameters };
    cases.plain("blocks too small", propose(Action::Parameters(wild)), "action");
    let wild =
        pb::Parameters { reserved_alert_bytes: parameters.max_block_bytes / 2 + 1, ..parameters };
    cases.plain("too much reserved", propose(Action::Parameters(wild)), "action");
    let schedule =
        |version, height| propose(Action::ScheduleVersion(pb::ScheduleVersion { version, height }));
    cases.plain("a version to come", schedule(2, 1_000), "ok");
    cases.plain("the version that runs", schedule(1, 1_000), "action");
    cases.plain("a version in the past", schedule(2, 1), "action");
    let replace = |town: &Town, new: &SigningKey, role| {
        let new_root = Some(public_key(role, new));
        propose(Action::ReplaceRoot(pb::ReplaceRoot { member: town.id(1).to_vec(), new_root }))
    };
    let new = key("Forge root 2");
    let by_new = [(CoSigner::NewKey, new.clone())];
    let root = replace(&cases.town, &new, pb::KeyRole::Root);
    cases.cosigned("a new root key", root.clone(), &by_new, "ok");
    cases.plain("a new root key that nobody holds", root, "cosignatures");
    let signing = replace(&cases.town, &new, pb::KeyRole::Signing);
    cases.cosigned("a new root key for signing", signing, &by_new, "action");
}

fn identifier(scheme: &str, value: &str) -> pb::Identifier {
    pb::Identifier { scheme: scheme.to_owned(), value: value.to_owned() }
}

pub(super) fn votes(cases: &mut Cases, open: &[u8], decided: &[u8]) {
    let vote =
        |proposal: &[u8]| Payload::Vote(pb::Vote { proposal: proposal.to_vec(), approve: true });
    let third = cases.town.members[2].signing.clone();
    cases.by("a vote", &third, (vote(open), &[]), "ok");
    cases.plain("a vote of the proposer", vote(open), "voted");
    cases.by("a vote on what is decided", &third, (vote(decided), &[]), "proposal-not-open");
    cases.by("a vote on nothing", &third, (vote(&[3; 32]), &[]), "proposal-not-open");
    cases.by("a vote on 31 bytes", &third, (vote(&[3; 31]), &[]), "field");
    let suspended = cases.town.members[3].signing.clone();
    cases.by("a suspended member's vote", &suspended, (vote(open), &[]), "member-not-active");
    let late = START_MS + 1_000_000;
    let mut body = cases.town.body(vote(open));
    (body.not_before_ms, body.not_after_ms) = (late, late + 1_000);
    let envelope = cases.town.envelope(&third, &body, &[]);
    let expect = Some("proposal-not-open");
    cases.all.push(Case { name: "a vote that comes too late", envelope, time_ms: late, expect });
}
