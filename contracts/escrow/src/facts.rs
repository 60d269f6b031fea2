//! What the log says of those who take part: taken out of a state before terms are judged, so that judging reads nothing.

use heatmark_evidence::transfer::{SignedFile, Unproved};
use heatmark_ledger::deal::Phase;
use heatmark_ledger::ids::{KeyId, MemberId, NetworkId, UnixMillis};
use heatmark_ledger::keys::{RegisteredKey, key_id};
use heatmark_ledger::messages::{self as pb, KeyAlgorithm, KeyRole, MemberStatus, Role};
use heatmark_ledger::state::{self, StateError, StateView};
use std::collections::BTreeMap;
use std::fmt;

use crate::{Manifest, Order, Quote, Terms};

/// What terms are judged by, besides themselves and the manifest.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// Time of the block that opened the deal; before it is opened, of the newest.
    pub at: UnixMillis,
    /// What the state says of members and keys, as of that block.
    pub registry: &'f Registry,
    /// The standing deal that the terms name, if they do.
    pub standing: Option<StandingDeal<'f>>,
}

/// A deal that was paid for others to come.
#[derive(Debug, Clone, Copy)]
pub struct StandingDeal<'f> {
    /// Its terms.
    pub terms: &'f Terms,
    /// The manifest that they name; that its owner anchored it, the caller has verified.
    pub manifest: &'f Manifest,
    /// How it stands on the log.
    pub open: &'f pb::DealOpen,
    /// Time of the block that opened it.
    pub opened: UnixMillis,
    /// Where it stands now.
    pub phase: Phase,
}

/// What the registry says of the members and keys that some terms name.
#[derive(Clone, Default)]
pub struct Registry {
    members: BTreeMap<MemberId, pb::MemberState>,
    keys: BTreeMap<KeyId, pb::KeyState>,
}

impl Registry {
    /// Takes out of a state what it takes to judge some terms by their manifests.
    ///
    /// # Errors
    /// When the state cannot be read; not when somebody is not in it.
    pub fn gather(
        view: &(impl StateView + ?Sized),
        judged: &[(&Manifest, &Terms)],
    ) -> Result<Self, StateError> {
        let mut registry = Self::default();
        for (manifest, terms) in judged {
            for member in members_of(manifest, terms) {
                let state = state::member(view, &member)?;
                registry.members.extend(state.map(|state| (member, state)));
            }
            for key in keys_of(terms) {
                let state = state::key_state(view, &key)?;
                registry.keys.extend(state.map(|state| (key, state)));
            }
        }
        Ok(registry)
    }

    /// Adds or replaces a member.
    pub fn insert_member(&mut self, member: MemberId, state: pb::MemberState) {
        self.members.insert(member, state);
    }

    /// Adds or replaces a key.
    pub fn insert_key(&mut self, key: KeyId, state: pb::KeyState) {
        self.keys.insert(key, state);
    }

    /// Whether a member is in good standing.
    #[must_use]
    pub fn is_active(&self, member: &MemberId) -> bool {
        self.members.get(member).is_some_and(|state| state.status() == MemberStatus::Active)
    }

    /// A member's country; none for who is no member.
    #[must_use]
    pub fn country(&self, member: &MemberId) -> Option<&str> {
        Some(self.entry(member)?.country.as_str())
    }

    /// Whether a member has a role.
    #[must_use]
    pub fn has_role(&self, member: &MemberId, role: Role) -> bool {
        self.entry(member).is_some_and(|entry| entry.roles().any(|had| had == role))
    }

    /// The id of the root key that a member has now.
    #[must_use]
    pub fn root_key(&self, member: &MemberId) -> Option<KeyId> {
        let key = self.entry(member)?.keys.iter().find(|key| key.role() == KeyRole::Root)?;
        Some(key_id(key.algorithm(), &key.key))
    }

    /// A signing key of a member, if it is one and was never stolen. One that was replaced since will do.
    #[must_use]
    pub fn signing_key(&self, key: &KeyId, member: &MemberId) -> Option<RegisteredKey> {
        let state = self.keys.get(key)?;
        let public = state.key.as_ref()?;
        let sound = state.member == member.as_bytes()
            && state.compromised_since_height == 0
            && public.role() == KeyRole::Signing
            && public.algorithm() == KeyAlgorithm::Ed25519;
        RegisteredKey::from_state(&public.key).filter(|_| sound)
    }

    /// A file, if its maker is this member and has signed it.
    #[must_use]
    pub fn proved<F: SignedFile>(&self, file: Unproved<F>, member: &MemberId) -> Option<F> {
        let key = self.signing_key(file.signer(), member)?;
        file.prove(&key, member).ok()
    }

    fn entry(&self, member: &MemberId) -> Option<&pb::MemberEntry> {
        self.members.get(member)?.entry.as_ref()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({} members, {} keys)", self.members.len(), self.keys.len())
    }
}

/// The members whose standing bears on some terms.
fn members_of(manifest: &Manifest, terms: &Terms) -> Vec<MemberId> {
    let parties = terms.owner.iter().chain(&terms.arbiter).map(|party| &party.member);
    let regulators = manifest.regulators.iter().map(|regulator| &regulator.member);
    let agents = terms.agents.iter().map(|agent| &agent.member);
    let named = [&terms.buyer].into_iter().chain(parties).chain(regulators).chain(agents);
    named.filter_map(|member| MemberId::try_from(member.as_slice()).ok()).collect()
}

/// The keys that are to have signed terms, quotes and orders.
fn keys_of(terms: &Terms) -> Vec<KeyId> {
    let Ok(network) = NetworkId::try_from(terms.network.as_slice()) else { return Vec::new() };
    let parties = terms.owner.iter().chain(&terms.arbiter).map(|party| &party.quote);
    let quotes = parties.chain(terms.agents.iter().map(|agent| &agent.quote));
    let quotes = quotes.filter_map(|quote| Some(*Quote::read(quote, &network).ok()?.signer()));
    let orders = terms.orders.iter();
    let orders = orders.filter_map(|order| Some(*Order::read(order, &network).ok()?.signer()));
    let own = KeyId::try_from(terms.signer.as_slice()).ok();
    own.into_iter().chain(quotes).chain(orders).collect()
}
