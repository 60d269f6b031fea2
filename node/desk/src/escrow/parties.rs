//! What each party of a deal does, from its own copy of the log: the owner and the arbiter what a person told them, agents by
//! themselves, the buyer until what it bought is open. Nothing is done that the log's state of the deal does not ask for, and
//! nothing twice: the log takes each step once.

use super::DealError;
use super::Outgoing;
use super::quoting::DealSecrets;
use crate::{Desk, DeskError};
use heatmark_escrow::files::{DealRefused, TermsContent, TermsFile};
use heatmark_escrow::purpose::terms_purpose;
use heatmark_escrow::{
    Base, Facts, Manifest, Needs, Registry, StandingDeal, Terms, TermsRefusal, check_open, judge,
    release,
};
use heatmark_ledger::deal::{Deal, Phase};
use heatmark_ledger::ids::{DealId, DealTime, MemberId, UnixMillis};
use heatmark_ledger::messages::{self as pb, deal::Step};
use heatmark_ledger::state;
use heatmark_vault::{DealRole, DealRow, Deed, VaultError};
use prost::Message as _;

/// What a buyer's row says when a party takes no part.
const REFUSED: &str = "refused";
/// Most of what parties said that is kept.
const MOST_SAID_BYTES: usize = 2_048;
/// Terms that never came are forgotten after this long.
const FORGET_MS: u64 = 86_400_000;
/// How often a deal is looked at in which nothing is due; what the log says of it wakes us.
const IDLE_MS: u64 = 3_600_000;
/// How often one is looked at that waits for the log or for others.
const WAIT_MS: u64 = 10_000;

/// Too few of the released shares are good.
pub(super) const BAD_SHARES: &str = "bad-shares";
/// The ciphertext is not what the record promises; the fault's name follows.
pub(super) const PAYLOAD: &str = "payload-";

/// What looking at a deal came to.
#[derive(Default)]
pub(super) struct Looked {
    pub(super) letters: Vec<Outgoing>,
    /// When to look again; none once nothing is left to do.
    pub(super) again_ms: Option<u64>,
    /// Whether it never came to anything, and is forgotten.
    forget: bool,
    /// The row that the letters tell of, where they are all that it had to tell.
    pub(super) told: Option<Box<DealRow>>,
}

impl Looked {
    pub(super) const fn again(letters: Vec<Outgoing>, again_ms: Option<u64>) -> Self {
        Self { letters, again_ms, forget: false, told: None }
    }
}

/// A deal as the log has it.
pub(super) struct OnLog {
    pub(super) deal: Deal,
    pub(super) open: pb::DealOpen,
    pub(super) now: DealTime,
    pub(super) phase: Phase,
    /// Time of the block that opened it.
    pub(super) opened: UnixMillis,
}

impl Desk {
    /// What the log says of a deal.
    pub(super) fn on_log(&self, deal: &[u8]) -> Result<Option<OnLog>, DeskError> {
        let store = &self.parts.store;
        let id = DealId::try_from(deal).map_err(|_| VaultError::Damaged)?;
        let Some(kept) = state::deal(store, &id)? else { return Ok(None) };
        let deal = Deal::from_state(&kept)?;
        let now = deal.clock(state::deal_clock(store)?).read(store.tip().time);
        let phase = deal.phase(now);
        let header = store.header(deal.opened().height)?;
        let opened = header.map_or(UnixMillis(0), |(header, _)| header.time);
        Ok(Some(OnLog { deal, open: kept.open.unwrap_or_default(), now, phase, opened }))
    }

    /// Judges terms as of a time; by what the registry says now.
    pub(super) fn judge_terms(
        &self,
        manifest: &Manifest,
        terms: &Terms,
        content: &TermsContent,
        at: UnixMillis,
    ) -> Result<Needs, DeskError> {
        let store = &self.parts.store;
        if content.standing_terms.is_empty() {
            let registry = Registry::gather(store, &[(manifest, terms)])?;
            let facts = Facts { at, registry: &registry, standing: None };
            return Ok(judge(manifest, terms, &facts)?);
        }
        let paid = Terms::decode(content.standing_terms.as_slice());
        let paid = paid.map_err(|_| TermsRefusal::StandingDeal)?;
        let of = self.manifest_of(&content.standing_manifest)?;
        self.check_deposited(&of, &content.standing_evidence)?;
        let on_log = self.on_log(&paid.deal)?.ok_or(TermsRefusal::StandingDeal)?;
        let registry = Registry::gather(store, &[(manifest, terms), (&of, &paid)])?;
        let standing = StandingDeal {
            terms: &paid,
            manifest: &of,
            open: &on_log.open,
            opened: on_log.opened,
            phase: on_log.phase,
        };
        let facts = Facts { at, registry: &registry, standing: Some(standing) };
        Ok(judge(manifest, terms, &facts)?)
    }

    /// Terms arrived.
    pub(super) fn terms_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: TermsFile = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let deal: [u8; 32] = file.deal.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let id = DealId::try_from(file.deal.as_slice()).map_err(|_| DeskError::NotForUs)?;
        let network = self.parts.intake.network();
        let purpose = terms_purpose(&network, &id, &from, &self.parts.member);
        let _alone = self.alone();
        for mut row in self.parts.vault.deal_roles(&deal)? {
            let role = role_of(&row)?;
            let waits = row.buyer == from.as_bytes() && row.terms.is_empty();
            if role == DealRole::Buyer || !waits {
                continue;
            }
            let Ok(secrets) = self.deal_secrets(&deal, role) else { continue };
            let Ok(opened) = purpose.open(&secrets.opening()?, &file.sealed) else { continue };
            let content = TermsContent::read(&opened)?;
            let terms = Terms::decode(content.terms.as_slice());
            let terms = terms.map_err(|_| DeskError::NotForUs)?;
            let same = terms.deal == file.deal
                && terms.buyer == from.as_bytes()
                && terms.manifest == row.manifest;
            if !same {
                return Err(DeskError::NotForUs);
            }
            row.terms = content.encode_to_vec();
            row.arbiter = terms.arbiter.map(|party| party.member).unwrap_or_default();
            row.retain_until_ms = terms.retain_until_ms;
            self.parts.vault.put_deal(&self.actor, (&row, true), None, None)?;
            self.look_at(&row);
            return Ok(Vec::new());
        }
        Ok(Vec::new())
    }

    /// A party says that it takes no part.
    pub(super) fn refusal_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: DealRefused = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let deal: [u8; 32] = file.deal.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        let row = self.parts.vault.deal(&deal, DealRole::Buyer)?;
        let mut row = row.ok_or(DealError::UnknownDeal)?;
        let terms = self.terms_in(&row.terms)?;
        let parties = terms.owner.iter().chain(&terms.arbiter).map(|party| &party.member);
        let mut parties = parties.chain(terms.agents.iter().map(|agent| &agent.member));
        if !parties.any(|party| party == from.as_bytes()) {
            return Err(DeskError::NotForUs);
        }
        // One party's word: it says nothing of what this node found itself, and keeps nothing from opening.
        if row.opened || is_fault(&row.trouble) {
            return Ok(Vec::new());
        }
        let said = format!("{}: {} ({})", self.name_of(&from)?, file.text, file.code);
        if row.trouble != REFUSED {
            REFUSED.clone_into(&mut row.trouble);
            row.trouble_text = said;
        } else if !row.trouble_text.contains(&said) && row.trouble_text.len() < MOST_SAID_BYTES {
            row.trouble_text = format!("{}; {said}", row.trouble_text);
        }
        self.parts.vault.put_deal(&self.actor, (&row, true), None, None)?;
        Ok(Vec::new())
    }

    /// A member's legal name, for people.
    pub(super) fn name_of(&self, member: &MemberId) -> Result<String, DeskError> {
        let state = state::member(&self.parts.store, member)?;
        let entry = state.and_then(|state| state.entry);
        Ok(entry.map_or_else(|| member.to_string(), |entry| entry.legal_name))
    }

    /// Does what is due in a deal.
    pub(super) fn look(&self, deal: &[u8; 32], role: DealRole) -> Result<Looked, DeskError> {
        let _alone = self.alone();
        let Some(mut row) = self.parts.vault.deal(deal, role)? else {
            return Ok(Looked::default());
        };
        let before = row.clone();
        let on_log = self.on_log(deal)?;
        let mut looked = match role {
            DealRole::Buyer => self.look_as_buyer(&mut row, on_log.as_ref()),
            _ => self.look_as_party(&mut row, role, on_log.as_ref()),
        }?;
        if looked.forget {
            self.parts.vault.drop_deal(&row)?;
            return Ok(looked);
        }
        if on_log.as_ref().is_some_and(|on_log| on_log.phase.is_final()) {
            // It holds keys that were shown for this dispute alone.
            row.claim.clear();
        }
        if row.unsent {
            looked.letters.extend(self.letters_of(&row, role)?);
            looked.told = Some(Box::new(row.clone()));
            looked.again_ms = Some(looked.again_ms.map_or(WAIT_MS, |again| again.min(WAIT_MS)));
        }
        row.phase = on_log.map_or(0, |on_log| phase_number(on_log.phase));
        let left = looked.again_ms.is_some();
        if row != before || !left {
            self.parts.vault.put_deal(&self.actor, (&row, left), None, None)?;
        }
        Ok(looked)
    }

    fn look_as_party(
        &self,
        row: &mut DealRow,
        role: DealRole,
        on_log: Option<&OnLog>,
    ) -> Result<Looked, DeskError> {
        let age = self.now().0.saturating_sub(row.at_ms);
        if row.terms.is_empty() {
            let forget = age >= FORGET_MS;
            return Ok(Looked {
                again_ms: (!forget).then_some(IDLE_MS),
                forget,
                ..Looked::default()
            });
        }
        let Some(on_log) = on_log else {
            let terms = self.terms_in(&row.terms)?;
            let over = terms.ready_by_ms.saturating_add(FORGET_MS) < self.now().0;
            return Ok(Looked::again(Vec::new(), (!over).then_some(IDLE_MS)));
        };
        if on_log.phase.is_final() {
            if role == DealRole::Arbiter {
                self.tell_arbiter(row, on_log)?;
            }
            return Ok(Looked::default());
        }
        // Terms are judged until a party has taken its first step: whoever said yes sees the deal through.
        let undecided = self.is_undecided(role, on_log, row)?;
        if undecided && !row.trouble.is_empty() {
            return Ok(Looked::default());
        }
        if undecided && let Err(error) = self.check_terms(row, role, on_log) {
            let Some((code, text)) = refusal_of(&error) else { return Err(error) };
            (row.trouble, row.trouble_text) = (code.to_owned(), text);
            row.unsent = true;
            return Ok(Looked::default());
        }
        let secrets = self.deal_secrets(&deal_of(row)?, role)?;
        let step = match role {
            DealRole::Owner => {
                (row.agreed && on_log.phase == Phase::Open).then_some(("accept", accept()))
            }
            DealRole::Arbiter => self.arbiter_step(row, on_log)?,
            DealRole::Agent => self.agent_step(row, on_log)?,
            DealRole::Buyer => None,
        };
        let judges = role == DealRole::Arbiter
            && on_log.phase == Phase::Disputed
            && !row.claim.is_empty()
            && row.ruling.is_empty();
        let mut looked = self.take_step(row, &secrets, on_log, step)?;
        if judges {
            looked.letters.extend(self.pieces_for_claim(row)?);
            looked.again_ms = looked.again_ms.map(|again| again.min(WAIT_MS));
        }
        Ok(looked)
    }

    /// Whether a party may still say no.
    fn is_undecided(
        &self,
        role: DealRole,
        on_log: &OnLog,
        row: &DealRow,
    ) -> Result<bool, DeskError> {
        Ok(match role {
            DealRole::Owner => on_log.phase == Phase::Open,
            DealRole::Arbiter => on_log.deal.to_state().funded.is_none(),
            DealRole::Agent => {
                let terms = self.terms_in(&row.terms)?;
                let own =
                    terms.agents.iter().position(|a| a.member == self.parts.member.as_bytes());
                let marks = own.and_then(|own| on_log.deal.agents().get(own));
                marks.is_none_or(|marks| marks.ready.is_none())
            }
            DealRole::Buyer => false,
        })
    }

    /// Carries a step, or waits for the next thing to be due.
    pub(super) fn take_step(
        &self,
        row: &mut DealRow,
        secrets: &DealSecrets,
        on_log: &OnLog,
        step: Option<(&str, Step)>,
    ) -> Result<Looked, DeskError> {
        if let Some(step) = step {
            let (letters, again) = self.carry_step(row, secrets, step)?;
            return Ok(Looked::again(letters, Some(again)));
        }
        row.step.clear();
        // What the log says wakes us; what time alone does is looked for at its deadline.
        let left = on_log.deal.deadline().map(|by| by.0.saturating_sub(on_log.now.0));
        let again = left.unwrap_or(IDLE_MS).clamp(WAIT_MS, IDLE_MS);
        Ok(Looked::again(Vec::new(), Some(again)))
    }

    /// Whether this party takes part.
    pub(super) fn check_terms(
        &self,
        row: &DealRow,
        role: DealRole,
        on_log: &OnLog,
    ) -> Result<(), DeskError> {
        let content = TermsContent::read(&row.terms)?;
        let terms = self.terms_in(&row.terms)?;
        let manifest = self.manifest_of(&content.manifest)?;
        if role == DealRole::Arbiter {
            self.check_deposited(&manifest, &content.evidence)?;
        }
        if role == DealRole::Agent {
            let holding = self.parts.vault.holding(&manifest.digest().0)?;
            if holding.is_none_or(|row| row.destroyed) {
                return Err(DealError::SectionsDestroyed.into());
            }
        }
        let needs = self.judge_terms(&manifest, &terms, &content, on_log.opened)?;
        check_open(&terms, manifest.threshold, &on_log.open)?;
        if role == DealRole::Arbiter {
            let base =
                if content.base.is_empty() { None } else { Some(Base::read(&content.base)?) };
            let payment = needs.payment.ok_or(TermsRefusal::Price)?;
            payment.amount(&terms, base.as_ref())?;
        }
        Ok(())
    }

    /// What an agent does next: say that it is ready, and release once enough are.
    fn agent_step(
        &self,
        row: &DealRow,
        on_log: &OnLog,
    ) -> Result<Option<(&'static str, Step)>, DeskError> {
        let terms = self.terms_in(&row.terms)?;
        let own = terms.agents.iter().position(|a| a.member == self.parts.member.as_bytes());
        let Some(own) = own else { return Ok(None) };
        let agent = u32::try_from(own).unwrap_or(u32::MAX);
        let marks = on_log.deal.agents().get(own).copied().unwrap_or_default();
        let ready = heatmark_ledger::deal::Step::Ready { agent };
        if marks.ready.is_none() && on_log.deal.check(ready, on_log.now).is_ok() {
            return Ok(Some(("ready", Step::Ready(pb::DealReady { agent }))));
        }
        let released = heatmark_ledger::deal::Step::Release { agent };
        if marks.released.is_some() || on_log.deal.check(released, on_log.now).is_err() {
            return Ok(None);
        }
        let digest: [u8; 32] =
            row.manifest.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        let content = TermsContent::read(&row.terms)?;
        let manifest = self.manifest_of(&content.manifest)?;
        let shares = self.held_shares(&digest)?;
        let mut envelopes = Vec::with_capacity(terms.sections.len());
        for name in &terms.sections {
            let place = manifest.sections.iter().position(|section| section.name == *name);
            let share = place.and_then(|place| shares.get(place)).ok_or(VaultError::Damaged)?;
            let sealed = release(share, &terms, name, &mut rand::rng());
            envelopes.push(sealed.map_err(|_| DealError::Sharing)?);
        }
        if self.on_its_way(row)? != "release" {
            let id = deal_of(row)?;
            self.parts.vault.note(&self.actor, Deed::ReleaseShares, Some(id), 0)?;
        }
        Ok(Some(("release", Step::Release(pb::DealRelease { agent, envelopes }))))
    }
}

/// Whether this node has found what was bought faulty, so that it never opens.
pub(super) fn is_fault(trouble: &str) -> bool {
    trouble == BAD_SHARES || trouble.starts_with(PAYLOAD)
}

fn accept() -> Step {
    Step::Accept(pb::DealAccept {})
}

pub(super) fn deal_of(row: &DealRow) -> Result<[u8; 32], DeskError> {
    Ok(row.deal.as_slice().try_into().map_err(|_| VaultError::Damaged)?)
}

pub(super) fn role_of(row: &DealRow) -> Result<DealRole, DeskError> {
    Ok(DealRole::try_from(row.role).map_err(|_| VaultError::Damaged)?)
}

/// What a party tells the buyer of an error that is the terms' fault; none for one of its own.
pub(super) fn refusal_of(error: &DeskError) -> Option<(&'static str, String)> {
    match error {
        DeskError::Deal(DealError::Terms(refusal)) => Some((refusal.code(), refusal.to_string())),
        DeskError::Deal(DealError::Escrow(fault)) => Some((fault.code(), fault.to_string())),
        DeskError::Deal(DealError::NotDeposited) => Some(("not-deposited", error.to_string())),
        DeskError::Deal(DealError::SectionsDestroyed) => Some(("destroyed", error.to_string())),
        _ => None,
    }
}

const PHASES: [Phase; 9] = [
    Phase::Open,
    Phase::Accepted,
    Phase::Funded,
    Phase::Ready,
    Phase::Delivered,
    Phase::Disputed,
    Phase::Settled,
    Phase::Expired,
    Phase::Refunded,
];

/// 0 for a deal that the log does not have.
fn phase_number(phase: Phase) -> u32 {
    let place = PHASES.iter().position(|known| *known == phase).unwrap_or(0);
    u32::try_from(place).unwrap_or(0).saturating_add(1)
}

/// The name of a kept phase; `gathering` before the log has the deal.
pub(super) fn phase_name(number: u32) -> &'static str {
    let place = number.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| PHASES.get(place)).map_or("gathering", |phase| phase.name())
}
