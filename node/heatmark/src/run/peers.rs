//! What follows the registry and the pool while a node runs: who may connect, and when consensus
//! has something to do.

use super::chain::Chain;
use heatmark_consensus::{ConsensusHandle, pinned_peer};
use heatmark_exchange::{ExchangeHandle, member_peers};
use heatmark_mempool::Mempool;
use heatmark_store::Store;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the clock is looked at while an adopted proposal waits for its time.
const LOOK_FOR_DUE: Duration = Duration::from_millis(250);

/// Peers whose addresses the settings name.
pub(super) fn configured(addresses: &[String]) -> BTreeSet<PeerId> {
    let peer = |address: &String| pinned_peer(&address.parse().ok()?).ok();
    addresses.iter().filter_map(peer).collect()
}

/// Runs `task` until `stop` is set or its sender is gone.
pub(super) async fn until(mut stop: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = task => {}
    }
}

/// Tells consensus whenever the pool stops being empty, and when an adopted proposal is due.
pub(super) async fn wake_consensus(
    mempool: Arc<Mempool>,
    store: Store,
    chain: Arc<Chain>,
    stop: watch::Receiver<bool>,
) {
    let mut waiting = mempool.subscribe();
    let mut tips = store.subscribe();
    let follow = async move {
        loop {
            chain.update_wants_block();
            let pending = chain.next_effect().is_some();
            let changed = tokio::select! {
                changed = waiting.changed() => changed.is_ok(),
                changed = tips.changed() => changed.is_ok(),
                // Looked at and not slept until, since the clock may be set meanwhile.
                () = tokio::time::sleep(LOOK_FOR_DUE), if pending => true,
            };
            if !changed {
                return;
            }
        }
    };
    until(stop, follow).await;
}

/// Admits members to both networks as the registry names them, and dismisses who has left. Peers
/// without a configured address are admitted under their identity alone: they dial us.
pub(super) async fn follow_registry(
    store: Store,
    exchange: Arc<ExchangeHandle>,
    consensus: Arc<ConsensusHandle>,
    configured: BTreeSet<PeerId>,
) {
    let own = exchange.local_peer_id();
    let mut admitted = BTreeSet::new();
    let mut tips = store.subscribe();
    let mut seen = None;
    loop {
        let root = tips.borrow_and_update().chain.state_root;
        if seen != Some(root) {
            seen = Some(root);
            if let Err(error) = exchange.refresh_members().await {
                tracing::error!(%error, "the exchange network does not follow the registry");
            }
            let members = members_of(&store);
            for peer in members.iter().filter(|peer| **peer != own && !configured.contains(*peer)) {
                if admitted.insert(*peer)
                    && let Err(error) = consensus.add_peer(identity_only(*peer)).await
                {
                    tracing::warn!(%error, %peer, "the consensus network does not admit a member");
                }
            }
            let gone: Vec<PeerId> = admitted.difference(&members).copied().collect();
            for peer in gone {
                admitted.remove(&peer);
                if let Err(error) = consensus.remove_peer(identity_only(peer)).await {
                    tracing::warn!(%error, %peer, "a former member stays on the consensus network");
                }
            }
        }
        if tips.changed().await.is_err() {
            return;
        }
    }
}

fn identity_only(peer: PeerId) -> Multiaddr {
    Multiaddr::empty().with(Protocol::P2p(peer))
}

fn members_of(store: &Store) -> BTreeSet<PeerId> {
    match member_peers(store) {
        Ok(keys) => keys.iter().filter_map(|key| crate::keys::peer_id(&key.key)).collect(),
        Err(error) => {
            tracing::error!(%error, "the registry cannot be read");
            BTreeSet::new()
        }
    }
}
