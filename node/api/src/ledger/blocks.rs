//! Streams of certified blocks: one block ahead of the client and no more, so that a slow client
//! holds one block of memory; one that takes nothing for long is let go. Refuses more streams at
//! once than the node allows, and ends when the registry no longer knows the client.

use super::{Ledger, height};
use crate::refusal::{field, of_state, refuse, stopping};
use crate::server::Node;
use heatmark_client::tls::PeerIdentity;
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages as pb;
use heatmark_store::{Store, StoreError};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

pub(super) type BlockStream = ReceiverStream<Result<pb::StreamBlocksResponse, Status>>;

struct Range {
    from: Height,
    /// For ever without.
    to: Option<Height>,
    headers_only: bool,
}

impl Ledger {
    pub(super) fn blocks(
        &self,
        request: pb::StreamBlocksRequest,
        identity: PeerIdentity,
    ) -> Result<BlockStream, Status> {
        let from = height(request.from_height).ok_or_else(|| field("blocks begin at height 1"))?;
        let newest = self.node.store.tip().height;
        let to = match height(request.to_height) {
            Some(to) if request.follow => Some(to),
            Some(to) => Some(to.min(newest)),
            None => (!request.follow).then_some(newest),
        };
        let permit = Arc::clone(&self.node.block_streams).try_acquire_owned().map_err(|_| {
            let message = "too many streams of blocks; try again later";
            refuse(Code::ResourceExhausted, "busy", message)
        })?;
        let (blocks, stream) = mpsc::channel(1);
        let range = Range { from, to, headers_only: request.headers_only };
        tokio::spawn(run(Arc::clone(&self.node), identity, range, (blocks, permit)));
        Ok(ReceiverStream::new(stream))
    }
}

type Sender = mpsc::Sender<Result<pb::StreamBlocksResponse, Status>>;

async fn run(
    node: Arc<Node>,
    identity: PeerIdentity,
    range: Range,
    (blocks, _permit): (Sender, OwnedSemaphorePermit),
) {
    let mut stop = node.stop.clone();
    let streamed = tokio::select! {
        streamed = stream(&node, &identity, &range, &blocks) => streamed,
        _ = stop.wait_for(|stop| *stop) => Err(stopping()),
        () = blocks.closed() => return,
    };
    if let Err(status) = streamed {
        // Waits no longer than for a block: the client may be gone.
        let _ = tokio::time::timeout(node.limits.stall_timeout, blocks.send(Err(status))).await;
    }
}

async fn stream(
    node: &Arc<Node>,
    identity: &PeerIdentity,
    range: &Range,
    blocks: &Sender,
) -> Result<(), Status> {
    let mut tip = node.store.subscribe();
    let mut next = range.from;
    while range.to.is_none_or(|to| next <= to) {
        if tip.borrow_and_update().height < next {
            tip.changed().await.map_err(|_| stopping())?;
            continue;
        }
        if node.registry.member_of(&identity.key).map_err(of_state)? != Some(identity.member) {
            let message = "the key is no longer a valid key of a member in good standing";
            return Err(refuse(Code::PermissionDenied, "not-admitted", message));
        }
        let (store, height, headers_only) = (node.store.clone(), next, range.headers_only);
        let block = node.read(move || block(&store, height, headers_only)).await?;
        let sent = tokio::time::timeout(node.limits.stall_timeout, blocks.send(Ok(block)));
        match sent.await {
            Ok(Ok(())) => next = next.next(),
            Ok(Err(_)) => return Ok(()),
            Err(_) => {
                let message = "the client took no block for too long";
                return Err(refuse(Code::DeadlineExceeded, "stalled", message));
            }
        }
    }
    Ok(())
}

fn block(
    store: &Store,
    height: Height,
    headers_only: bool,
) -> Result<pb::StreamBlocksResponse, StoreError> {
    let mut certified = store.certified_block(height)?.ok_or(StoreError::NotAvailable("block"))?;
    if headers_only && let Some(block) = &mut certified.block {
        block.transactions.clear();
    }
    let (own, next) = (store.validators(height)?, store.named_next(height)?);
    let changed = own.map(|set| set.hash()) != next.as_ref().map(|set| set.hash());
    let next = next.filter(|_| changed).map(|set| set.to_proto());
    let restart = store.restart_at(height.previous())?;
    Ok(pb::StreamBlocksResponse { block: Some(certified), next, restart })
}
