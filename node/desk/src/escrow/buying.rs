//! What a buyer does before a deal stands on the log: it asks agents what could be opened, chooses a clause, gathers the
//! parties' keys of this deal, and signs the terms. Judges its own terms first, as every agent will.

use super::DealError;
use super::depositing::member;
use super::quoting::DealSecrets;
use super::{Outgoing, names};
use crate::{Desk, DeskError, blocking};
use heatmark_escrow::files::{PartyRole, Quote, QuoteAsk, TermsContent};
use heatmark_escrow::{Base, Clause, Manifest, Price, Terms, TermsAgent, TermsParty};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::{DealId, MemberId};
use heatmark_ledger::{Hash, keys};
use heatmark_records::RecordId;
use heatmark_vault::{DealRole, DealRow, Deed, OpenableRow, VaultError};
use prost::Message;
use zeroize::Zeroizing;

/// How long the other agents' keys are waited for once there are enough.
const LINGER_MS: u64 = 3_000;
/// How long keys are gathered before the buyer is told that too few came.
const PATIENCE_MS: u64 = 60_000;
/// How long they are gathered at all.
const GIVE_UP_MS: u64 = 12 * 3_600_000;
const DAY_MS: u64 = 86_400_000;
/// What an honest agent needs at least.
const SHORTEST_MS: u64 = 1_000;

/// How long each thing may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// The owner's acceptance.
    pub accept: u64,
    /// Payment.
    pub fund: u64,
    /// Until enough agents are ready.
    pub ready: u64,
    /// Until enough shares are released.
    pub release: u64,
    /// In which the buyer may dispute.
    pub confirm: u64,
    /// In which the arbiter rules.
    pub rule: u64,
}

impl Default for Lengths {
    fn default() -> Self {
        Self {
            accept: 3 * DAY_MS,
            fund: 7 * DAY_MS,
            ready: DAY_MS,
            release: DAY_MS,
            confirm: 7 * DAY_MS,
            rule: 14 * DAY_MS,
        }
    }
}

impl Lengths {
    /// The same for all; for tests and drills.
    #[must_use]
    pub const fn all(each: u64) -> Self {
        Self { accept: each, fund: each, ready: each, release: each, confirm: each, rule: each }
    }

    /// The least that each may take.
    #[must_use]
    pub const fn shortest() -> u64 {
        SHORTEST_MS
    }
}

/// What a buyer wants opened, and how.
#[derive(Debug, Clone)]
pub struct DealPlan {
    /// The record.
    pub record: RecordId,
    /// The sections; none for all that the clause opens.
    pub sections: Vec<String>,
    /// The clause, by its name.
    pub clause: String,
    /// For what.
    pub purpose: String,
    /// SHA-256 of the agreement that the buyer signs.
    pub agreement: Option<[u8; 32]>,
    /// What a premium is a share of, in the currency's minor unit.
    pub base: Option<u64>,
    /// Who holds the money; none for the first that the clause names.
    pub arbiter: Option<MemberId>,
    /// Regulators' orders, as files.
    pub orders: Vec<Vec<u8>>,
    /// A standing deal that covers it.
    pub standing: Option<[u8; 32]>,
    /// When what is opened is destroyed; none for as long as the clause allows.
    pub retain_until_ms: Option<u64>,
    /// How long each thing may take.
    pub lengths: Lengths,
    /// Whether people confirm what was opened; else this node does, once all of it opens against the record.
    pub confirm_by_hand: bool,
    /// The inspection that asked for it; it is run again once the deal has opened.
    pub inspection: Option<[u8; 32]>,
}

/// What the buyer asked for, while keys are gathered.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Wish {
    #[prost(bytes = "vec", tag = "1")]
    manifest: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    evidence: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    clause: Vec<u8>,
    #[prost(string, repeated, tag = "4")]
    sections: Vec<String>,
    #[prost(string, tag = "5")]
    purpose: String,
    #[prost(bytes = "vec", tag = "6")]
    base: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    arbiter: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    orders: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "9")]
    standing: Vec<u8>,
    #[prost(uint64, tag = "10")]
    retain_until_ms: u64,
    #[prost(uint64, repeated, tag = "11")]
    lengths: Vec<u64>,
    #[prost(bytes = "vec", tag = "12")]
    agreement: Vec<u8>,
    /// When there were enough keys; 0 before.
    #[prost(uint64, tag = "13")]
    enough_ms: u64,
}

impl Desk {
    /// Begins a deal; gives its id. The parties' keys are gathered from then on.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn open_deal(&self, plan: DealPlan) -> Result<[u8; 32], DeskError> {
        let desk = self.clone();
        let id = blocking(move || desk.begin_deal(&plan)).await?;
        self.shared.deals.notify_one();
        Ok(id)
    }

    fn begin_deal(&self, plan: &DealPlan) -> Result<[u8; 32], DeskError> {
        self.check_inspection(plan.inspection)?;
        let (row, manifest, clause) = self.offer_for(plan)?;
        let all = clause.sections.iter().filter(|name| manifest.section(name).is_some());
        let mut sections = plan.sections.clone();
        if sections.is_empty() {
            sections = all.cloned().collect();
        }
        sections.sort_unstable();
        sections.dedup();
        let arbiter = self.arbiter_of(plan, &clause)?;
        let wish = Wish {
            manifest: row.manifest,
            evidence: row.evidence,
            clause: clause.to_bytes(),
            sections,
            purpose: plan.purpose.clone(),
            base: base_of(plan, &clause)?,
            arbiter: arbiter.map(|member| member.to_vec()).unwrap_or_default(),
            orders: plan.orders.clone(),
            standing: plan.standing.map(|deal| deal.to_vec()).unwrap_or_default(),
            retain_until_ms: self.retention_of(plan, &clause),
            lengths: lengths_of(&plan.lengths),
            agreement: plan.agreement.map(|digest| digest.to_vec()).unwrap_or_default(),
            enough_ms: 0,
        };
        let secrets = DealSecrets::fresh();
        let key = keys::PublicKey::of(&secrets.signing()?).to_bytes();
        let deal: DealId = keys::deal_id(&self.parts.intake.network(), &key);
        let kept = DealRow {
            deal: deal.to_vec(),
            role: DealRole::Buyer.into(),
            buyer: self.parts.member.to_vec(),
            manifest: manifest.digest().0.to_vec(),
            at_ms: self.now().0,
            wish: wish.encode_to_vec(),
            retain_until_ms: wish.retain_until_ms,
            by_hand: plan.confirm_by_hand,
            inspection: plan.inspection.map(|id| id.to_vec()).unwrap_or_default(),
            ..DealRow::default()
        };
        let sealed = Zeroizing::new(secrets.encode_to_vec());
        let deed = Some(Deed::OpenDeal);
        self.parts.vault.put_deal(&self.actor, (&kept, true), Some(&sealed), deed)?;
        self.look_at(&kept);
        self.look_after_inspection(&kept);
        Ok(*deal.as_bytes())
    }

    /// The newest offer of the record that has the clause.
    fn offer_for(&self, plan: &DealPlan) -> Result<(OpenableRow, Manifest, Clause), DeskError> {
        let mut best: Option<(OpenableRow, Manifest, Clause)> = None;
        for row in self.parts.vault.openable(&plan.record)? {
            let manifest = self.manifest_of(&row.manifest)?;
            if best.as_ref().is_some_and(|(_, known, _)| known.epoch >= manifest.epoch) {
                continue;
            }
            for clause in &row.clauses {
                let clause = Clause::read(clause)?;
                if clause.name == plan.clause {
                    best = Some((row.clone(), manifest.clone(), clause));
                    break;
                }
            }
        }
        Ok(best.ok_or(DealError::NoOffer)?)
    }

    fn arbiter_of(&self, plan: &DealPlan, clause: &Clause) -> Result<Option<MemberId>, DeskError> {
        let paid = clause.pays() && plan.standing.is_none();
        let first = clause.arbiters.first().map(|arbiter| member(arbiter)).transpose()?;
        Ok(if paid { plan.arbiter.or(first) } else { None })
    }

    fn retention_of(&self, plan: &DealPlan, clause: &Clause) -> u64 {
        let days = u64::from(clause.retention_days).saturating_mul(DAY_MS);
        let longest = self.parts.store.tip().time.0.saturating_add(days);
        match (plan.retain_until_ms, clause.retention_days) {
            (Some(until), _) => until,
            (None, 0) => 0,
            (None, _) => longest,
        }
    }

    /// Asks the parties for their keys that have not given them, each now and then.
    fn asks_for_quotes(
        &self,
        row: &DealRow,
        (wish, manifest, clause): (&Wish, &Manifest, &Clause),
        quotes: &[Quote],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let mut parties: Vec<(&[u8], PartyRole)> = Vec::new();
        parties.extend(manifest.agents.iter().map(|agent| (&*agent.member, PartyRole::Agent)));
        if !wish.arbiter.is_empty() {
            parties.push((&wish.arbiter, PartyRole::Arbiter));
        }
        if clause.by_hand {
            parties.push((&manifest.owner, PartyRole::Owner));
        }
        let mut letters = Vec::new();
        for (party, role) in parties {
            let given = quotes.iter().any(|quote| quote.from == party && quote.role() == role);
            let key = [party, &i32::from(role).to_be_bytes()].concat();
            if given || !self.may_ask((&row.deal, &key)) {
                continue;
            }
            let ask = QuoteAsk {
                from: self.parts.member.to_vec(),
                to: party.to_vec(),
                deal: row.deal.clone(),
                manifest: row.manifest.clone(),
                role: role.into(),
                ..QuoteAsk::default()
            };
            let content = ask.signed(&self.parts.intake.network(), &self.parts.signing);
            letters.push(Outgoing { to: member(party)?, name: names::QUOTE_ASK, content });
        }
        Ok(letters)
    }

    /// Signs the terms once there are keys enough; gives when to look again.
    pub(super) fn gather(
        &self,
        row: &mut DealRow,
    ) -> Result<(Vec<Outgoing>, Option<u64>), DeskError> {
        let mut wish = Wish::decode(row.wish.as_slice()).map_err(|_| VaultError::Damaged)?;
        let manifest = self.manifest_of(&wish.manifest)?;
        let clause = Clause::read(&wish.clause)?;
        let quotes: Result<Vec<Quote>, _> =
            row.quotes.iter().map(|quote| Quote::decode(quote.as_slice())).collect();
        let quotes = quotes.map_err(|_| VaultError::Damaged)?;
        let of =
            |role: PartyRole| quotes.iter().zip(&row.quotes).filter(move |(q, _)| q.role() == role);
        let agents = of(PartyRole::Agent).count();
        let threshold = usize::try_from(manifest.threshold).unwrap_or(usize::MAX);
        let arbiter = of(PartyRole::Arbiter).find(|(quote, _)| quote.from == wish.arbiter);
        let owner = of(PartyRole::Owner).find(|(quote, _)| quote.from == manifest.owner);
        let enough = agents >= threshold
            && (wish.arbiter.is_empty() || arbiter.is_some())
            && (!clause.by_hand || owner.is_some());
        let now = self.now().0;
        if !enough {
            let left = row.at_ms.saturating_add(PATIENCE_MS).saturating_sub(now);
            if left == 0 && row.trouble.is_empty() {
                "too-few-parties".clone_into(&mut row.trouble);
                "too few agents, or not the arbiter or the owner, have answered yet: the deal opens once they do"
                    .clone_into(&mut row.trouble_text);
            }
            if now.saturating_sub(row.at_ms) >= GIVE_UP_MS {
                "too few agents, or not the arbiter or the owner, have answered: open another deal"
                    .clone_into(&mut row.trouble_text);
                self.asks_no_more(&row.deal);
                return Ok((Vec::new(), None));
            }
            let asks = self.asks_for_quotes(row, (&wish, &manifest, &clause), &quotes)?;
            return Ok((asks, Some(left.clamp(1_000, 10_000))));
        }
        if wish.enough_ms == 0 {
            wish.enough_ms = now;
            row.wish = wish.encode_to_vec();
        }
        let waited = now.saturating_sub(wish.enough_ms);
        self.asks_no_more(&row.deal);
        if agents < manifest.agents.len() && waited < LINGER_MS {
            return Ok((Vec::new(), Some(LINGER_MS.saturating_sub(waited).max(50))));
        }
        let party = |(quote, file): (&Quote, &Vec<u8>)| TermsParty {
            member: quote.from.clone(),
            key: quote.key.clone(),
            quote: file.clone(),
        };
        let (owner, arbiter) = (owner.filter(|_| clause.by_hand).map(party), arbiter.map(party));
        let mut parties: Vec<TermsAgent> = Vec::new();
        let deal: [u8; 32] = row.deal.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        let secrets = self.deal_secrets(&deal, DealRole::Buyer)?;
        for (quote, file) in of(PartyRole::Agent) {
            let Some(index) = manifest.index_of(&member(&quote.from)?) else { continue };
            parties.push(TermsAgent {
                index: index.into(),
                member: quote.from.clone(),
                key: quote.key.clone(),
                reply: secrets.reply(index)?.sealing_key().as_bytes().to_vec(),
                quote: file.clone(),
            });
        }
        parties.sort_by_key(|agent| agent.index);
        let terms = self.write_terms((row, &wish, &clause), (owner, arbiter, parties), &secrets)?;
        self.keep_terms(row, &wish, (&manifest, &terms))?;
        Ok((Vec::new(), Some(0)))
    }

    /// The signed terms.
    fn write_terms(
        &self,
        (row, wish, clause): (&DealRow, &Wish, &Clause),
        (owner, arbiter, agents): (Option<TermsParty>, Option<TermsParty>, Vec<TermsAgent>),
        secrets: &DealSecrets,
    ) -> Result<Vec<u8>, DeskError> {
        let deal: &[u8; 32] = row.deal.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        let base = if wish.base.is_empty() { None } else { Some(Base::read(&wish.base)?) };
        let paid = arbiter.is_some();
        let (amount, currency) = match clause.price() {
            Some(Price::Fixed { amount, currency }) if paid => (amount, currency),
            Some(Price::Premium { currency, .. }) if paid => (0, currency),
            _ => (0, String::new()),
        };
        let mut at = self.parts.store.tip().time.0;
        let mut next = |needed: bool, place: usize| {
            let length = wish.lengths.get(place).copied().unwrap_or(DAY_MS);
            if needed {
                at = at.saturating_add(length);
            }
            if needed { at } else { 0 }
        };
        let terms = Terms {
            buyer: self.parts.member.to_vec(),
            salt: rand::random::<[u8; 32]>().to_vec(),
            deal: row.deal.clone(),
            manifest: row.manifest.clone(),
            sections: wish.sections.clone(),
            clause: wish.clause.clone(),
            buyer_key: keys::PublicKey::of(&secrets.signing()?).to_bytes().to_vec(),
            accept_by_ms: next(owner.is_some(), 0),
            fund_by_ms: next(paid, 1),
            ready_by_ms: next(true, 2),
            release_by_ms: next(true, 3),
            confirm_by_ms: next(true, 4),
            rule_by_ms: next(paid, 5),
            owner,
            arbiter,
            agents,
            amount,
            currency,
            base: base.map(|base| base.digest(deal).0.to_vec()).unwrap_or_default(),
            nda: wish.agreement.clone(),
            purpose: wish.purpose.clone(),
            retain_until_ms: wish.retain_until_ms,
            standing: wish.standing.clone(),
            orders: wish.orders.clone(),
            ..Terms::default()
        };
        Ok(terms.signed(&self.parts.intake.network(), &self.parts.signing))
    }

    /// Keeps the terms, which then go to every party.
    fn keep_terms(
        &self,
        row: &mut DealRow,
        wish: &Wish,
        (manifest, signed): (&Manifest, &[u8]),
    ) -> Result<(), DeskError> {
        let terms = Terms::decode(signed).map_err(|_| VaultError::Damaged)?;
        let mut content = TermsContent {
            terms: signed.to_vec(),
            manifest: wish.manifest.clone(),
            evidence: wish.evidence.clone(),
            base: wish.base.clone(),
            ..TermsContent::default()
        };
        if !wish.standing.is_empty() {
            let standing = wish.standing.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
            let covering = self.parts.vault.deal(standing, DealRole::Buyer)?;
            let covering = covering.ok_or(DealError::UnknownDeal)?;
            let covering = TermsContent::read(&covering.terms)?;
            content.standing_terms = covering.terms;
            content.standing_manifest = covering.manifest;
            content.standing_evidence = covering.evidence;
        }
        self.judge_terms(manifest, &terms, &content, self.parts.store.tip().time)?;
        row.terms = content.encode_to_vec();
        row.unsent = true;
        row.trouble.clear();
        row.trouble_text.clear();
        Ok(())
    }
}

fn base_of(plan: &DealPlan, clause: &Clause) -> Result<Vec<u8>, DeskError> {
    let premium = matches!(clause.price(), Some(Price::Premium { .. })) && plan.standing.is_none();
    match (premium, plan.base) {
        (false, _) => Ok(Vec::new()),
        (true, None | Some(0)) => Err(DealError::PremiumBase.into()),
        (true, Some(amount)) => {
            let salt = rand::random::<[u8; 32]>().to_vec();
            Ok(Base { salt, amount, currency: clause.currency.clone() }.to_bytes())
        }
    }
}

fn lengths_of(lengths: &Lengths) -> Vec<u64> {
    let Lengths { accept, fund, ready, release, confirm, rule } = *lengths;
    [accept, fund, ready, release, confirm, rule].map(|ms| ms.max(SHORTEST_MS)).to_vec()
}

/// The digest by which an agreement's text is named.
#[must_use]
pub fn agreement_digest(text: &[u8]) -> Hash {
    use sha2::Digest as _;
    Hash(sha2::Sha256::digest(text).into())
}
