//! A registry entry as people write it (`entry.json`) and as the registry takes it. Refuses what
//! the registry would refuse.

use super::failure::Failure;
use crate::files;
use crate::keys::MAX_ENTRY_BYTES;
use heatmark_ledger::execute::check_entry;
use heatmark_ledger::genesis::{Founder, role_from_name};
use heatmark_ledger::messages as pb;
use std::path::Path;

/// Reads an `entry.json`.
pub(crate) fn read(path: &Path) -> Result<Founder, Failure> {
    let text = files::read_text(path, MAX_ENTRY_BYTES)?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::input(format!("{} is not a registry entry", path.display()))
            .because(error)
            .next("ask its organisation for the entry.json that `heatmark keys generate` wrote")
    })
}

/// The entry as the registry takes it.
pub(crate) fn to_registry(founder: &Founder) -> Result<pb::MemberEntry, Failure> {
    let refuse = |why: String| {
        Failure::input(format!("the registry would not take the entry of {:?}", founder.legal_name))
            .because(why)
            .next("mend the entry")
    };
    let mut roles = Vec::new();
    for name in &founder.roles {
        let role = role_from_name(name).ok_or_else(|| {
            refuse(format!("{name:?} is no role; roles are supplier, assembler, lab, escrow-agent, regulator and validator"))
        })?;
        roles.push(i32::from(role));
    }
    roles.sort_unstable();
    let identifiers = founder.identifiers.iter();
    let identifiers = identifiers
        .map(|i| pb::Identifier { scheme: i.scheme.clone(), value: i.value.clone() })
        .collect();
    let keys =
        keys(founder).ok_or_else(|| refuse("a key is not 64 lowercase hex digits".into()))?;
    let entry = pb::MemberEntry {
        legal_name: founder.legal_name.clone(),
        country: founder.country.clone(),
        identifiers,
        roles,
        keys,
    };
    check_entry(&entry).map_err(|refusal| refuse(refusal.to_string()))?;
    Ok(entry)
}

fn keys(founder: &Founder) -> Option<Vec<pb::PublicKey>> {
    use pb::KeyAlgorithm::{Ed25519, X25519};
    use pb::KeyRole::{Consensus, Envelope, P2p, Root, Signing};
    let keys = &founder.keys;
    let mut all = vec![
        (Root, Ed25519, &keys.root),
        (Signing, Ed25519, &keys.signing),
        (P2p, Ed25519, &keys.p2p),
        (Envelope, X25519, &keys.envelope),
    ];
    all.extend(keys.consensus.iter().map(|key| (Consensus, Ed25519, key)));
    let key = |(role, algorithm, text): (pb::KeyRole, pb::KeyAlgorithm, &String)| {
        let lower = text.bytes().all(|b| !b.is_ascii_uppercase());
        let key = hex::decode(text).ok().filter(|key| lower && key.len() == 32)?;
        Some(pb::PublicKey { role: role.into(), algorithm: algorithm.into(), key })
    };
    all.into_iter().map(key).collect()
}
