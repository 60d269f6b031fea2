//! Steps on their way to the log: each signed by a key of its deal and carried in another member's envelope, the arbiter's by
//! default, so that the log does not say who takes part. Whoever does not carry within a few seconds is passed over; this
//! organisation carries its own only when nobody else does. The same bytes go again until their window has ended.

use super::depositing::member;
use super::quoting::DealSecrets;
use super::{Outgoing, names};
use crate::{Desk, DeskError};
use heatmark_escrow::Terms;
use heatmark_escrow::files::CarryAsk;
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::{DealId, MemberId, NetworkId};
use heatmark_ledger::messages::{self as pb, deal::Step};
use heatmark_ledger::{deal, transaction, wire};
use heatmark_mempool::{IntakeError, MempoolError};
use heatmark_vault::{DealRow, VaultError};
use prost::Message;
use prost::bytes::Bytes;

/// How long a carrier has before the next one is asked.
const CARRIER_MS: u64 = 4_000;

/// A step as it is kept while it is on its way.
#[derive(Clone, PartialEq, Message)]
struct Carried {
    #[prost(bytes = "vec", tag = "1")]
    body: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    cosignature: Option<pb::CoSignature>,
    #[prost(string, tag = "3")]
    what: String,
}

impl Desk {
    /// Sends a step on, or again; gives when to look whether it stands.
    pub(super) fn carry_step(
        &self,
        row: &mut DealRow,
        secrets: &DealSecrets,
        (what, step): (&str, Step),
    ) -> Result<(Vec<Outgoing>, u64), DeskError> {
        let now = self.now().0;
        let network = self.parts.intake.network();
        let kept = Carried::decode(row.step.as_slice()).map_err(|_| VaultError::Damaged)?;
        let valid = kept.what == what
            && wire::decode_body(&kept.body).is_ok_and(|body| now < body.not_after_ms);
        let carried = if valid {
            kept
        } else {
            let carried = self.new_step(row, secrets, (what, step))?;
            row.step = carried.encode_to_vec();
            (row.carried, row.carried_ms) = (0, 0);
            carried
        };
        let waited = now.saturating_sub(row.carried_ms);
        if row.carried_ms != 0 && waited < CARRIER_MS {
            return Ok((Vec::new(), CARRIER_MS.saturating_sub(waited)));
        }
        let carriers = self.carriers(row)?;
        let asked = usize::try_from(row.carried).unwrap_or(usize::MAX);
        let place = asked.checked_rem(carriers.len()).unwrap_or(0);
        row.carried = row.carried.saturating_add(1);
        row.carried_ms = now.max(1);
        let to = carriers.get(place).copied().unwrap_or(self.parts.member);
        if to == self.parts.member {
            self.put_on_log(&carried.body, carried.cosignature.as_ref())?;
            return Ok((Vec::new(), CARRIER_MS));
        }
        let ask = CarryAsk {
            from: self.parts.member.to_vec(),
            to: to.to_vec(),
            body: carried.body,
            cosignature: carried.cosignature,
            ..CarryAsk::default()
        };
        let content = ask.signed(&network, &self.parts.signing);
        Ok((vec![Outgoing { to, name: names::CARRY, content }], CARRIER_MS))
    }

    /// What is on its way.
    pub(super) fn on_its_way(&self, row: &DealRow) -> Result<String, DeskError> {
        Ok(Carried::decode(row.step.as_slice()).map_err(|_| VaultError::Damaged)?.what)
    }

    fn new_step(
        &self,
        row: &DealRow,
        secrets: &DealSecrets,
        (what, step): (&str, Step),
    ) -> Result<Carried, DeskError> {
        let deal = DealId::try_from(row.deal.as_slice()).map_err(|_| VaultError::Damaged)?;
        let payload = pb::Deal { deal: deal.to_vec(), step: Some(step) };
        let body = self.body(pb::body::Payload::Deal(payload))?.encode_to_vec();
        let network: NetworkId = self.parts.intake.network();
        let key = secrets.signing()?;
        let cosignature = transaction::cosign(&network, pb::CoSigner::Deal, &key, &body)?;
        Ok(Carried { body, cosignature: Some(cosignature), what: what.to_owned() })
    }

    /// Who may carry: the arbiter, then the agents from the one after this party on, and this organisation last. An arbiter
    /// carries its own.
    fn carriers(&self, row: &DealRow) -> Result<Vec<MemberId>, DeskError> {
        let terms: Terms = self.terms_in(&row.terms)?;
        let own = self.parts.member;
        let mut carriers = Vec::new();
        if let Some(arbiter) = &terms.arbiter {
            carriers.push(member(&arbiter.member)?);
        }
        if carriers.first() == Some(&own) {
            return Ok(vec![own]);
        }
        let agents: Result<Vec<MemberId>, _> =
            terms.agents.iter().map(|agent| member(&agent.member)).collect();
        let mut agents = agents?;
        let after = agents.iter().position(|agent| *agent == own);
        let spread = row.deal.first().map_or(0, |byte| usize::from(*byte));
        let turn = after.map_or(spread, |place| place.saturating_add(1));
        let turn = turn.checked_rem(agents.len()).unwrap_or(0);
        agents.rotate_left(turn);
        carriers.extend(agents.into_iter().filter(|agent| *agent != own));
        carriers.push(own);
        Ok(carriers)
    }

    /// A party asks for its step to be carried.
    pub(super) fn asked_to_carry(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: CarryAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        if !self.may_carry(from) {
            return Err(MempoolError::MemberQuota.into());
        }
        self.put_on_log(&ask.body, ask.cosignature.as_ref())?;
        Ok(Vec::new())
    }

    /// Puts a step into an envelope of this organisation's and into the pool, if the log takes it.
    fn put_on_log(
        &self,
        body: &[u8],
        cosignature: Option<&pb::CoSignature>,
    ) -> Result<(), DeskError> {
        let network = self.parts.intake.network();
        let cosignature = cosignature.ok_or(DeskError::NotForUs)?;
        let (body, ..) = deal::verify_carried(&network, body, cosignature)?;
        let signed = self.sign(&body, vec![cosignature.clone()]);
        match self.parts.intake.submit(Bytes::clone(&signed.envelope), self.tip()) {
            // Refused: it stands already, came too late, or is none that the log takes; its party sees to it.
            Ok(_) | Err(IntakeError::Refused(_)) => Ok(()),
            Err(IntakeError::Pool(error)) => Err(error.into()),
            Err(other) => Err(other.into()),
        }
    }
}
