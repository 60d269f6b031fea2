//! Letters on their way: whom to give one, what became of it, and what arrives. Every queue is bounded: a letter that
//! finds no room is answered "later", and its sender keeps it.

use crate::conduct::Fault;
use crate::letter::{Answer, Letter, LetterError, MAX_LETTER_BYTES};
use crate::service::Service;
use bytes::Bytes;
use heatmark_ledger::ids::MemberId;
use libp2p::PeerId;
use libp2p::request_response::{
    Event, InboundRequestId, Message, OutboundRequestId, ResponseChannel,
};
use std::collections::{HashMap, HashSet};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// Letters of this node on their way at once.
const SENT_AT_ONCE: usize = 64;
/// Letters that wait for the desk's answer.
const UNANSWERED: usize = 64;

type Outcome = oneshot::Sender<Result<Answer, LetterError>>;

/// The letters of a running exchange.
pub(crate) struct Post {
    /// Where letters go that arrive.
    letters: mpsc::Sender<Letter>,
    sent: HashMap<OutboundRequestId, Outcome>,
    pub(crate) answering: JoinSet<(PeerId, ResponseChannel<Answer>, Answer)>,
    /// Whose letter waits for the desk's answer: one a node.
    reading: HashSet<PeerId>,
}

impl Post {
    pub(crate) fn new(letters: mpsc::Sender<Letter>) -> Self {
        let (sent, reading) = (HashMap::new(), HashSet::new());
        Self { letters, sent, answering: JoinSet::new(), reading }
    }
}

impl Service {
    /// Sends a letter to a member's node.
    pub(crate) fn post(&mut self, to: MemberId, letter: Bytes, outcome: Outcome) {
        let peer = self
            .members
            .iter()
            .find(|(peer, member)| **member == to && self.swarm.is_connected(peer));
        let error = match peer {
            _ if letter.len() > MAX_LETTER_BYTES => LetterError::TooLong,
            _ if self.post.sent.len() >= SENT_AT_ONCE => LetterError::Busy,
            None => LetterError::Away,
            Some((peer, _)) => {
                let peer = *peer;
                let id = self.swarm.behaviour_mut().letters.send_request(&peer, letter);
                self.post.sent.insert(id, outcome);
                return;
            }
        };
        // Whoever asked may have gone.
        let _ = outcome.send(Err(error));
    }

    pub(crate) fn on_letters(&mut self, event: Event<Bytes, Answer>) {
        match event {
            Event::Message { peer, message, .. } => match message {
                Message::Request { request_id, request, channel } => {
                    self.on_letter(peer, request_id, request, channel);
                }
                Message::Response { request_id, response } => {
                    self.metrics.sent_letter("answered");
                    self.settle(&request_id, Ok(response));
                }
            },
            Event::OutboundFailure { request_id, peer, error, .. } => {
                tracing::debug!(member = self.name(&peer), %error, "a letter was not answered");
                self.metrics.sent_letter("unanswered");
                self.settle(&request_id, Err(LetterError::Unanswered));
            }
            Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(member = self.name(&peer), %error, "a letter did not arrive");
                self.metrics.received_letter("broken");
            }
            Event::ResponseSent { .. } => {}
        }
    }

    fn settle(&mut self, id: &OutboundRequestId, outcome: Result<Answer, LetterError>) {
        if let Some(asked) = self.post.sent.remove(id) {
            // Whoever asked may have gone.
            let _ = asked.send(outcome);
        }
    }

    fn on_letter(
        &mut self,
        peer: PeerId,
        _: InboundRequestId,
        content: Bytes,
        channel: ResponseChannel<Answer>,
    ) {
        let now = Instant::now();
        let Some(from) = self.members.get(&peer).copied() else { return };
        let within = self
            .conduct
            .get_mut(&peer)
            .is_some_and(|conduct| conduct.admit_letter(content.len(), now));
        if !within {
            self.metrics.received_letter("above_rate");
            self.blame(&peer, Fault::Rate, now);
            return self.answer(channel, Answer::Later);
        }
        let (answer, answered) = oneshot::channel();
        let room = self.post.answering.len() < UNANSWERED
            && !self.post.reading.contains(&peer)
            && self.post.letters.try_send(Letter { from, content, answer }).is_ok();
        if !room {
            self.metrics.received_letter("crowded_out");
            return self.answer(channel, Answer::Later);
        }
        self.post.reading.insert(peer);
        self.post
            .answering
            .spawn(async move { (peer, channel, answered.await.unwrap_or(Answer::Later)) });
    }

    /// Sends the desk's answer; the next letter of that node may come.
    pub(crate) fn on_answered(
        &mut self,
        (peer, channel, answer): (PeerId, ResponseChannel<Answer>, Answer),
    ) {
        self.post.reading.remove(&peer);
        self.answer(channel, answer);
    }

    pub(crate) fn answer(&mut self, channel: ResponseChannel<Answer>, answer: Answer) {
        self.metrics.received_letter(match answer {
            Answer::Taken => "taken",
            Answer::Later => "put_off",
            Answer::Refused => "refused",
        });
        // The connection may have closed meanwhile: the letter comes again.
        let _ = self.swarm.behaviour_mut().letters.send_response(channel, answer);
    }
}
