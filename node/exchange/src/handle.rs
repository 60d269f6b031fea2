//! The rest of the node's hold on the exchange.

use crate::error::ExchangeError;
use crate::letter::{Answer, LetterError};
use crate::members::PeerKey;
use bytes::Bytes;
use heatmark_ledger::ids::MemberId;
use libp2p::{Multiaddr, PeerId};
use std::sync::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

#[derive(Debug)]
pub(crate) enum Command {
    SetMembers(Vec<PeerKey>),
    Refresh,
    Post { to: MemberId, letter: Bytes, outcome: oneshot::Sender<Result<Answer, LetterError>> },
    Shutdown,
}

/// The running exchange. It stops when this is dropped.
#[derive(Debug)]
pub struct ExchangeHandle {
    pub(crate) local: PeerId,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) connected: watch::Receiver<Vec<MemberId>>,
    pub(crate) listening: watch::Receiver<Vec<Multiaddr>>,
    pub(crate) task: Mutex<Option<JoinHandle<()>>>,
}

impl ExchangeHandle {
    /// This node's peer id.
    #[must_use]
    pub fn local_peer_id(&self) -> PeerId {
        self.local
    }

    /// Members whose nodes are connected and take part in gossip, ascending; its length is the
    /// count of peers.
    #[must_use]
    pub fn connected(&self) -> watch::Receiver<Vec<MemberId>> {
        self.connected.clone()
    }

    /// Addresses listened on, each ending in `/p2p/<peer id>`; none for a node that only dials.
    #[must_use]
    pub fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.listening.borrow().clone()
    }

    /// Allows exactly these peers and disconnects all others.
    ///
    /// # Errors
    /// [`ExchangeError::Stopped`].
    pub async fn set_members(&self, members: Vec<PeerKey>) -> Result<(), ExchangeError> {
        self.send(Command::SetMembers(members)).await
    }

    /// Reads the registry again and follows it. To be called after a block that wrote to it.
    ///
    /// # Errors
    /// [`ExchangeError::Stopped`].
    pub async fn refresh_members(&self) -> Result<(), ExchangeError> {
        self.send(Command::Refresh).await
    }

    /// Gives a letter to a member's node and waits for what it says.
    ///
    /// # Errors
    /// See [`LetterError`].
    pub async fn post(&self, to: MemberId, letter: Bytes) -> Result<Answer, LetterError> {
        let (outcome, heard) = oneshot::channel();
        let command = Command::Post { to, letter, outcome };
        self.commands.send(command).await.map_err(|_| LetterError::Stopped)?;
        heard.await.map_err(|_| LetterError::Stopped)?
    }

    /// Disconnects and returns when everything has stopped.
    pub async fn shutdown(&self) {
        // A closed channel means that it has stopped already.
        let _ = self.commands.send(Command::Shutdown).await;
        let task = self.task.lock().ok().and_then(|mut task| task.take());
        if let Some(task) = task {
            // It ends by itself; a panic in it has been reported by the runtime.
            let _ = task.await;
        }
    }

    async fn send(&self, command: Command) -> Result<(), ExchangeError> {
        self.commands.send(command).await.map_err(|_| ExchangeError::Stopped)
    }
}
