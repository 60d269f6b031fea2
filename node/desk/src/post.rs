//! Letters between members' nodes: files that one member has for another. They leave when the other's node is
//! connected and stay on disk until it says that it has them; what arrives stays until a person has seen to it.
//! Refuses what is no letter. One slow or silent member holds up nobody else's letters.
//!
//! ```text
//!  send ─▶ vault ─▶ deliver ══ exchange ══▶ take ─▶ vault ─▶ a person
//!            ▲         │ later, away
//!            └─────────┘
//! ```

use crate::{Desk, DeskError, blocking, until};
use heatmark_exchange::{Answer, ExchangeHandle, Letter, LetterError, MAX_LETTER_BYTES};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::{state, wire};
use heatmark_merkle::Hash;
use heatmark_proto::exchange::v1 as pb;
use heatmark_vault::{Arrival, ArrivedLetter, LetterRow, letter_place};
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Most bytes of a file that goes as a letter.
pub const MAX_LETTER_FILE_BYTES: usize = 4 << 20;
/// Longest name of a file that goes as a letter, in bytes.
pub const MAX_LETTER_NAME_BYTES: usize = 255;

/// Members that are written to at once.
const MEMBERS_AT_ONCE: usize = 8;
/// How long a member that did not take a letter is left alone at least. As long again at random, so that two that hinder each
/// other do not meet again.
const PUT_OFF: Duration = Duration::from_secs(5);
/// How often what waits is looked at, whatever happens.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Whoever carries letters.
pub trait Carrier: Send + Sync + 'static {
    /// Gives a letter to a member's node.
    fn post(
        &self,
        to: MemberId,
        letter: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, LetterError>> + Send + '_>>;

    /// Members whose nodes are connected.
    fn connected(&self) -> watch::Receiver<Vec<MemberId>>;
}

impl Carrier for ExchangeHandle {
    fn post(
        &self,
        to: MemberId,
        letter: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, LetterError>> + Send + '_>> {
        Box::pin(Self::post(self, to, letter))
    }

    fn connected(&self) -> watch::Receiver<Vec<MemberId>> {
        Self::connected(self)
    }
}

impl Desk {
    /// Starts to deliver letters and to take them in. Both end when `stop` is set or its sender is gone.
    #[must_use]
    pub fn correspond(
        &self,
        carrier: Arc<dyn Carrier>,
        letters: mpsc::Receiver<Letter>,
        stop: &watch::Receiver<bool>,
    ) -> Vec<JoinHandle<()>> {
        let (deliver, take) = (self.clone(), self.clone());
        let (stop_deliver, stop_take) = (stop.clone(), stop.clone());
        vec![
            tokio::spawn(async move { until(stop_deliver, deliver.deliver(carrier)).await }),
            tokio::spawn(async move { until(stop_take, take.take_in(letters)).await }),
        ]
    }

    /// Keeps a file that is to go to a member, synced, and sends it as soon as that member's node is there. Gives the
    /// letter's id.
    ///
    /// # Errors
    /// [`DeskError::UnknownMember`], [`DeskError::Letter`] for a name or content that cannot go,
    /// [`DeskError::Vault`].
    pub async fn send_letter(
        &self,
        to: MemberId,
        name: String,
        content: Vec<u8>,
    ) -> Result<[u8; 32], DeskError> {
        if !is_file_name(&name) || content.len() > MAX_LETTER_FILE_BYTES {
            return Err(DeskError::Letter);
        }
        if to == self.parts.member || state::member(&self.parts.store, &to)?.is_none() {
            return Err(DeskError::UnknownMember(to));
        }
        let id: [u8; 32] = rand::random();
        let (vault, actor) = (Arc::clone(&self.parts.vault), Arc::clone(&self.actor));
        blocking(move || Ok(vault.put_letter(&actor, (&id, to.as_bytes()), &name, &content)?))
            .await?;
        self.shared.letters.notify_one();
        Ok(id)
    }

    /// Letters on their way, and letters that arrived.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn letters(&self) -> Result<(Vec<LetterRow>, Vec<LetterRow>), DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        blocking(move || Ok((vault.letters_sent()?, vault.letters_arrived()?))).await
    }

    /// A letter that arrived.
    ///
    /// # Errors
    /// [`DeskError::UnknownLetter`] or [`DeskError::Vault`].
    pub async fn letter(&self, place: [u8; 32]) -> Result<ArrivedLetter, DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        blocking(move || vault.arrived_letter(&place)?.ok_or(DeskError::UnknownLetter)).await
    }

    /// Throws away a letter, one that arrived or one on its way.
    ///
    /// # Errors
    /// [`DeskError::UnknownLetter`] or [`DeskError::Vault`].
    pub async fn drop_letter(&self, id: [u8; 32]) -> Result<(), DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        blocking(
            move || if vault.drop_letter(&id)? { Ok(()) } else { Err(DeskError::UnknownLetter) },
        )
        .await
    }

    async fn deliver(self, carrier: Arc<dyn Carrier>) {
        let mut connected = carrier.connected();
        let mut rounds: JoinSet<(MemberId, bool)> = JoinSet::new();
        let mut busy: BTreeSet<MemberId> = BTreeSet::new();
        let mut put_off: BTreeMap<MemberId, Instant> = BTreeMap::new();
        loop {
            put_off.retain(|_, until| *until > Instant::now());
            let there = connected.borrow_and_update().clone();
            for member in self.addressees().await {
                let free = busy.len() < MEMBERS_AT_ONCE && !put_off.contains_key(&member);
                if free && there.contains(&member) && busy.insert(member) {
                    let (desk, carrier) = (self.clone(), Arc::clone(&carrier));
                    rounds.spawn(async move { (member, desk.deliver_to(&*carrier, member).await) });
                }
            }
            let first = put_off.values().min();
            let left = |until: &Instant| until.saturating_duration_since(Instant::now());
            let pause = first.map_or(LOOK_AGAIN, left);
            tokio::select! {
                () = self.shared.letters.notified() => {}
                Ok(()) = connected.changed() => {}
                Some(round) = rounds.join_next(), if !rounds.is_empty() => match round {
                    Ok((member, all)) => {
                        busy.remove(&member);
                        if !all {
                            let at_random = PUT_OFF.mul_f64(rand::random::<f64>());
                            let pause = PUT_OFF.saturating_add(at_random);
                            let now = Instant::now();
                            let until = now.checked_add(pause).unwrap_or(now);
                            put_off.insert(member, until);
                        }
                    }
                    // It cannot be told whose round it was: whoever is still written to hears a letter twice.
                    Err(_) => busy.clear(),
                },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Members for whom a letter waits.
    async fn addressees(&self) -> BTreeSet<MemberId> {
        let vault = Arc::clone(&self.parts.vault);
        match blocking(move || Ok(vault.letters_sent()?)).await {
            Ok(rows) => rows.iter().filter(|row| !row.refused).map(|row| row.peer.into()).collect(),
            Err(error) => {
                tracing::warn!(code = error.code(), "letters that wait cannot be read");
                BTreeSet::new()
            }
        }
    }

    /// Delivers what waits for one member, in no order; false when some of it must wait.
    async fn deliver_to(&self, carrier: &dyn Carrier, to: MemberId) -> bool {
        match self.try_to_deliver(carrier, to).await {
            Ok(all) => all,
            Err(error) => {
                tracing::warn!(code = error.code(), "a letter cannot be sent");
                false
            }
        }
    }

    async fn try_to_deliver(&self, carrier: &dyn Carrier, to: MemberId) -> Result<bool, DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        let rows = blocking(move || Ok(vault.letters_sent()?)).await?;
        for row in rows.into_iter().filter(|row| row.peer == *to.as_bytes() && !row.refused) {
            let vault = Arc::clone(&self.parts.vault);
            let Some(content) = blocking(move || Ok(vault.letter_to_send(&row.id)?)).await? else {
                continue;
            };
            let letter =
                pb::Letter { id: row.id.to_vec(), name: row.name, content: content.to_vec() };
            let answer = carrier.post(to, letter.encode_to_vec().into()).await;
            let vault = Arc::clone(&self.parts.vault);
            match answer {
                Ok(Answer::Taken) => {
                    blocking(move || Ok(vault.letter_delivered(&row.id)?)).await?;
                }
                Ok(Answer::Refused) | Err(LetterError::TooLong) => {
                    let letter = Hash(row.id);
                    tracing::warn!(%letter, "a member's node refuses a letter");
                    blocking(move || Ok(vault.letter_refused(&row.id)?)).await?;
                }
                Ok(Answer::Later) | Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn take_in(self, mut letters: mpsc::Receiver<Letter>) {
        while let Some(Letter { from, content, answer }) = letters.recv().await {
            let said = self.take(from, &content).await;
            // The connection may be gone: the letter comes again.
            let _ = answer.send(said);
        }
    }

    async fn take(&self, from: MemberId, bytes: &[u8]) -> Answer {
        let Some(pb::Letter { id, name, content }) = decode(bytes) else {
            tracing::warn!("a member's node sent what is no letter");
            return Answer::Refused;
        };
        let Ok(id) = <[u8; 32]>::try_from(id) else { return Answer::Refused };
        let letter = Hash(letter_place(&id, from.as_bytes()));
        let seen = match self.consider_escrow(from, &name, &content).await {
            Some(seen) => Some(seen),
            None => self.consider(from, &name, &content).await,
        };
        match seen {
            Some(Ok(())) => return Answer::Taken,
            Some(Err(
                DeskError::Vault(_)
                | DeskError::Store(_)
                | DeskError::NotCommitted
                | DeskError::Busy(_)
                | DeskError::Stopped,
            )) => {
                tracing::warn!(%letter, "a letter for the desk cannot be seen to yet");
                return Answer::Later;
            }
            Some(Err(error)) => {
                tracing::warn!(%letter, code = error.code(), "a letter for the desk is refused");
                return Answer::Refused;
            }
            None => {}
        }
        let vault = Arc::clone(&self.parts.vault);
        let keep = move || Ok(vault.letter_arrived((&id, from.as_bytes()), &name, &content)?);
        match blocking(keep).await {
            Ok(Arrival::Kept) => Answer::Taken,
            Ok(Arrival::NoRoom) => {
                tracing::warn!(%letter, "no room for more letters of a member");
                Answer::Later
            }
            Err(error) => {
                tracing::warn!(%letter, code = error.code(), "a letter cannot be kept");
                Answer::Later
            }
        }
    }
}

/// A letter in its one encoding, with an id and a file's name.
fn decode(bytes: &[u8]) -> Option<pb::Letter> {
    let letter: pb::Letter = wire::decode(bytes, MAX_LETTER_BYTES).ok()?;
    (letter.id.len() == 32 && is_file_name(&letter.name)).then_some(letter)
}

/// Whether a name is that of a file and of nothing else: it leads to no other directory and prints as it is.
fn is_file_name(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | ':');
    !name.is_empty()
        && name.len() <= MAX_LETTER_NAME_BYTES
        && !name.starts_with('.')
        && name.chars().all(|c| plain(c) && !is_invisible(c))
}

/// Format characters, separators of lines and fillers: what shows nothing, or turns what stands beside it.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
        | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
