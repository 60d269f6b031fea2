//! This node's turn: builds a block, and sends its parts once the engine has its hash.

use arc_malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::LocallyProposedValue;
use arc_malachitebft_app_channel::app::types::core::Round;
use arc_malachitebft_app_channel::{NetworkMsg, Reply};
use bytes::Bytes;
use tracing::{debug, warn};

use super::Host;
use crate::application::{Proposed, Slot};
use crate::context::{BlockId, Heatmark, Height};
use crate::error::Failure;
use crate::parts::{Heading, divide};
use crate::signing::round_of;

impl Host {
    pub(super) async fn get_value(
        &mut self,
        height: Height,
        round: Round,
        reply: Reply<LocallyProposedValue<Heatmark>>,
    ) -> Result<(), Failure> {
        let proposer = self.settings.address;
        let Some(ledger_round) = round_of(round).filter(|_| height == self.next_height()) else {
            return Err(Failure::OutOfOrder { height: height.0, newest: self.newest.height.0 });
        };
        let slot = Slot { height: height.ledger(), round: ledger_round, proposer: proposer.0 };
        let heading = |block: &Proposed| {
            let block = BlockId(block.header_hash);
            Heading { height, round, valid_round: Round::Nil, proposer, block }
        };
        // The others execute the block while it goes to this node's disk.
        let sent = self.ask("building a block", move |app| app.prepare(&slot)).await?;
        if let Some(prepared) = &sent {
            self.publish(&heading(prepared), &prepared.block).await?;
        }
        let proposed = self.ask("proposing a block", move |app| app.propose(&slot)).await?;
        let block = BlockId(proposed.header_hash);
        self.receiving.note_valid(block);
        let _ = reply.send(LocallyProposedValue::new(height, round, block));
        if sent.is_none_or(|sent| sent.header_hash != proposed.header_hash) {
            self.publish(&heading(&proposed), &proposed.block).await?;
        }
        Ok(())
    }

    /// Sends a block again that got a quorum of prevotes in an earlier round.
    pub(super) async fn publish_again(&mut self, heading: Heading) -> Result<(), Failure> {
        let (height, hash) = (heading.height.ledger(), heading.block.0);
        let during = "reading an undecided block";
        let block = self.ask(during, move |app| app.undecided_block(height, &hash)).await?;
        match block {
            Some(block) => self.publish(&heading, &block).await,
            None => {
                // Decided and gone while the question was on its way.
                debug!(height = heading.height.0, "nothing to propose again");
                Ok(())
            }
        }
    }

    async fn publish(&self, heading: &Heading, block: &Bytes) -> Result<(), Failure> {
        let parts = divide(heading, block);
        if parts.len() > usize::try_from(crate::parts::MAX_PARTS).unwrap_or(usize::MAX) {
            warn!(bytes = block.len(), "a block too large to be sent was proposed");
        }
        let mut name = heading.height.0.to_be_bytes().to_vec();
        name.extend_from_slice(&heading.round.as_i64().to_be_bytes());
        name.extend_from_slice(heading.block.0.as_bytes());
        let stream = StreamId::new(Bytes::from(name));
        for part in parts {
            let sequence = u64::from(part.index);
            let message = StreamMessage::new(stream.clone(), sequence, StreamContent::Data(part));
            let sent = self.ends.network.send(NetworkMsg::PublishProposalPart(message)).await;
            if sent.is_err() {
                return Err(Failure::EngineStopped);
            }
        }
        Ok(())
    }
}
