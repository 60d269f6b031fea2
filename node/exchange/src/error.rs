//! Why the exchange network cannot be joined.

use heatmark_ledger::state::StateError;
use libp2p::Multiaddr;
use thiserror::Error;

/// Why the exchange network cannot be joined. The operator's to mend, unless said otherwise.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// The p2p key is not a usable identity.
    #[error("the p2p key is not usable as an identity")]
    Identity,
    /// A peer's address does not say who must answer. Append `/p2p/<peer id>`.
    #[error("peer address {0} must end in /p2p/<peer id>")]
    Unpinned(Multiaddr),
    /// The address cannot be listened on. Free it or choose another.
    #[error("cannot listen on {address}")]
    Listen {
        /// As configured.
        address: Multiaddr,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The secure transport cannot be set up. A defect of this program.
    #[error("cannot set up the transport")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Gossip cannot be set up. A defect of this program.
    #[error("cannot set up gossip: {0}")]
    Gossip(&'static str),
    /// Letters cannot be set up. A defect of this program.
    #[error("cannot set up letters")]
    Letters,
    /// The registry cannot be read. Fatal: stop, check the store.
    #[error("{0}")]
    Registry(#[from] StateError),
    /// The exchange has stopped.
    #[error("the exchange has stopped")]
    Stopped,
}
