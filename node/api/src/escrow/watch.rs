//! A deal now and whenever it changes: looked at with every block, and now and then, since letters change it as well. Takes a
//! place among the streams, ends when the registry no longer knows the client, or when it takes nothing for long.

use super::views;
use crate::accept::Client;
use crate::desk::DeskApi;
use crate::refusal::{busy, of_desk, of_state, refuse, stopping};
use crate::server::Node;
use crate::share::StreamPlace;
use heatmark_client::tls::PeerIdentity;
use heatmark_desk::Desk;
use heatmark_proto::desk::v1 as pb;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

pub(super) type DealStream = ReceiverStream<Result<pb::WatchDealResponse, Status>>;

/// When to try again once all streams are taken.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How often a deal is looked at that no block changes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl DeskApi {
    pub(super) async fn watch(
        &self,
        desk: Desk,
        client: &Client,
        deal: [u8; 32],
    ) -> Result<DealStream, Status> {
        let own = client.flow.share().stream()?;
        let permit = Arc::clone(&self.node.block_streams)
            .try_acquire_owned()
            .map_err(|_| busy("busy", "too many streams; try again later", BUSY_WAIT))?;
        // A deal that is not known is refused at once.
        look(&desk, deal).await?;
        let (views, stream) = mpsc::channel(1);
        let places = (permit, own);
        let watched = Watched { node: Arc::clone(&self.node), desk, deal };
        tokio::spawn(watched.run(client.identity, (views, places)));
        Ok(ReceiverStream::new(stream))
    }
}

type Sender = mpsc::Sender<Result<pb::WatchDealResponse, Status>>;

struct Watched {
    node: Arc<Node>,
    desk: Desk,
    deal: [u8; 32],
}

impl Watched {
    async fn run(
        self,
        identity: PeerIdentity,
        (views, _places): (Sender, (OwnedSemaphorePermit, StreamPlace)),
    ) {
        let mut stop = self.node.stop.clone();
        let watched = tokio::select! {
            watched = self.tell(&identity, &views) => watched,
            _ = stop.wait_for(|stop| *stop) => Err(stopping()),
            () = views.closed() => return,
        };
        if let Err(status) = watched {
            let told = views.send(Err(status));
            // The client may be gone.
            let _ = tokio::time::timeout(self.node.limits.stall_timeout, told).await;
        }
    }

    async fn tell(&self, identity: &PeerIdentity, views: &Sender) -> Result<(), Status> {
        let node = &self.node;
        let mut tip = node.store.subscribe();
        let mut told: Option<pb::WatchDealResponse> = None;
        loop {
            tip.borrow_and_update();
            if node.registry.member_of(&identity.key).map_err(of_state)? != Some(identity.member) {
                let message = "the key is no longer a valid key of a member in good standing";
                return Err(refuse(Code::PermissionDenied, "not-admitted", message));
            }
            let now = look(&self.desk, self.deal).await?;
            if told.as_ref() != Some(&now) {
                let sent = views.send(Ok(now.clone()));
                match tokio::time::timeout(node.limits.stall_timeout, sent).await {
                    Ok(Ok(())) => told = Some(now),
                    Ok(Err(_)) => return Ok(()),
                    Err(_) => {
                        let message = "the client took nothing for too long";
                        return Err(refuse(Code::DeadlineExceeded, "stalled", message));
                    }
                }
            }
            tokio::select! {
                changed = tip.changed() => changed.map_err(|_| stopping())?,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

async fn look(desk: &Desk, deal: [u8; 32]) -> Result<pb::WatchDealResponse, Status> {
    let deals = desk.deal_by_id(deal).await.map_err(of_desk)?;
    Ok(pb::WatchDealResponse { deals: deals.into_iter().map(views::deal).collect() })
}
