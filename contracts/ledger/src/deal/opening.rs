//! How a deal is opened: its keys, how many shares it takes, and its deadlines. Refuses a key of
//! two parts, deadlines that the deal does not need, and those out of order.

use super::DealRefusal;
use crate::ids::{DealId, DealTime, NetworkId};
use crate::keys::{self, KeyError, PublicKey, RegisteredKey};
use crate::refusal::Refusal;
use crate::state;
use heatmark_merkle::Hash;
use heatmark_proto::ledger::v1 as pb;
use std::collections::BTreeSet;

/// Most agents of a deal.
pub const MAX_AGENTS: usize = 32;

/// How far ahead a deal's last deadline may be, in milliseconds.
pub const MAX_LENGTH_MS: u64 = 400 * 86_400_000;

/// Until when each thing is to be done, in the deal's own time; a step at its deadline is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// The owner accepts; 0 where no acceptance is asked.
    pub accept: DealTime,
    /// The arbiter attests payment; 0 where nothing is to be paid.
    pub fund: DealTime,
    /// Enough agents are ready.
    pub ready: DealTime,
    /// Enough shares are released.
    pub release: DealTime,
    /// The buyer disputes.
    pub confirm: DealTime,
    /// The arbiter rules; 0 where nothing is to be paid.
    pub rule: DealTime,
}

impl Deadlines {
    fn needed(&self) -> impl Iterator<Item = DealTime> {
        let all = [self.accept, self.fund, self.ready, self.release, self.confirm, self.rule];
        all.into_iter().filter(|deadline| deadline.0 != 0)
    }

    fn check(&self, acceptance: bool, payment: bool) -> Result<(), DealRefusal> {
        let asked = [
            (acceptance, self.accept),
            (payment, self.fund),
            (true, self.ready),
            (true, self.release),
            (true, self.confirm),
            (payment, self.rule),
        ];
        if asked.iter().any(|(needed, deadline)| *needed != (deadline.0 != 0)) {
            let reason = "those that the deal needs are set, and no others";
            return Err(DealRefusal::Deadlines(reason));
        }
        if self.needed().zip(self.needed().skip(1)).any(|(one, next)| one >= next) {
            return Err(DealRefusal::Deadlines("each is later than the one before"));
        }
        Ok(())
    }

    pub(super) fn check_at(&self, now: DealTime) -> Result<(), DealRefusal> {
        if self.needed().next().is_none_or(|first| first <= now) {
            return Err(DealRefusal::Deadlines("the first has passed"));
        }
        let end = now.0.saturating_add(MAX_LENGTH_MS);
        if self.needed().last().is_none_or(|last| last.0 > end) {
            return Err(DealRefusal::Deadlines("the last is at most 400 days ahead"));
        }
        Ok(())
    }
}

/// How a deal was opened, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    terms: Hash,
    buyer: RegisteredKey,
    owner: Option<RegisteredKey>,
    arbiter: Option<RegisteredKey>,
    agents: Vec<RegisteredKey>,
    threshold: u32,
    deadlines: Deadlines,
}

impl Opening {
    /// Reads the message and holds it against itself.
    ///
    /// # Errors
    /// [`Refusal::Field`] for a length or number out of range, [`DealRefusal::Keys`] or
    /// [`DealRefusal::Deadlines`].
    pub fn read(open: &pb::DealOpen) -> Result<Self, Refusal> {
        let terms = state::digest(&open.terms_digest).ok_or(Refusal::Field("terms_digest"))?;
        if open.agent_keys.is_empty() || open.agent_keys.len() > MAX_AGENTS {
            return Err(Refusal::Field("agent_keys"));
        }
        let agents = open.agent_keys.iter().map(|key| required(key, "agent_keys"));
        let opening = Self {
            terms,
            buyer: required(&open.buyer_key, "buyer_key")?,
            owner: optional(&open.owner_key, "owner_key")?,
            arbiter: optional(&open.arbiter_key, "arbiter_key")?,
            agents: agents.collect::<Result<_, _>>()?,
            threshold: open.threshold,
            deadlines: Deadlines {
                accept: DealTime(open.accept_by_ms),
                fund: DealTime(open.fund_by_ms),
                ready: DealTime(open.ready_by_ms),
                release: DealTime(open.release_by_ms),
                confirm: DealTime(open.confirm_by_ms),
                rule: DealTime(open.rule_by_ms),
            },
        };
        let enough = usize::try_from(open.threshold).is_ok_and(|t| t <= opening.agents.len());
        if open.threshold == 0 || !enough {
            return Err(Refusal::Field("threshold"));
        }
        let mut seen = BTreeSet::new();
        if !opening.keys().all(|key| seen.insert(key.to_bytes())) {
            return Err(DealRefusal::Keys.into());
        }
        opening.deadlines.check(opening.owner.is_some(), opening.arbiter.is_some())?;
        Ok(opening)
    }

    /// Whether every key is one that could ever sign.
    ///
    /// # Errors
    /// [`KeyError::UnacceptableKey`].
    pub fn check_keys(&self) -> Result<(), KeyError> {
        self.keys().try_for_each(|key| PublicKey::from_bytes(&key.to_bytes()).map(|_| ()))
    }

    /// The message.
    #[must_use]
    pub fn to_proto(&self) -> pb::DealOpen {
        let bytes = |key: &RegisteredKey| key.to_bytes().to_vec();
        pb::DealOpen {
            terms_digest: self.terms.0.to_vec(),
            buyer_key: bytes(&self.buyer),
            owner_key: self.owner.as_ref().map(bytes).unwrap_or_default(),
            arbiter_key: self.arbiter.as_ref().map(bytes).unwrap_or_default(),
            agent_keys: self.agents.iter().map(bytes).collect(),
            threshold: self.threshold,
            accept_by_ms: self.deadlines.accept.0,
            fund_by_ms: self.deadlines.fund.0,
            ready_by_ms: self.deadlines.ready.0,
            release_by_ms: self.deadlines.release.0,
            confirm_by_ms: self.deadlines.confirm.0,
            rule_by_ms: self.deadlines.rule.0,
        }
    }

    /// The deal's id.
    #[must_use]
    pub fn id(&self, network: &NetworkId) -> DealId {
        keys::deal_id(network, &self.buyer.to_bytes())
    }

    /// Digest of the terms.
    #[must_use]
    pub fn terms(&self) -> Hash {
        self.terms
    }

    /// The key that opens, confirms and disputes.
    #[must_use]
    pub fn buyer(&self) -> RegisteredKey {
        self.buyer
    }

    /// The key that accepts; none where no acceptance is asked.
    #[must_use]
    pub fn owner(&self) -> Option<RegisteredKey> {
        self.owner
    }

    /// The key that attests payment and rules; none where nothing is to be paid.
    #[must_use]
    pub fn arbiter(&self) -> Option<RegisteredKey> {
        self.arbiter
    }

    /// The agents' keys, by their places.
    #[must_use]
    pub fn agents(&self) -> &[RegisteredKey] {
        &self.agents
    }

    /// How many shares the deal takes, 1 to the number of agents.
    #[must_use]
    pub fn threshold(&self) -> u32 {
        self.threshold
    }

    /// Until when each thing is to be done.
    #[must_use]
    pub fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    fn keys(&self) -> impl Iterator<Item = &RegisteredKey> {
        let parties = [Some(&self.buyer), self.owner.as_ref(), self.arbiter.as_ref()];
        parties.into_iter().flatten().chain(&self.agents)
    }
}

fn required(bytes: &[u8], field: &'static str) -> Result<RegisteredKey, Refusal> {
    RegisteredKey::from_state(bytes).ok_or(Refusal::Field(field))
}

fn optional(bytes: &[u8], field: &'static str) -> Result<Option<RegisteredKey>, Refusal> {
    if bytes.is_empty() { Ok(None) } else { required(bytes, field).map(Some) }
}
