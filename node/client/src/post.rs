//! Letters of the own node: files for other members and from them. Refuses rows without their ids.

use crate::DeskClient;
use crate::desk::CALL_TIMEOUT;
use crate::error::ClientError;
use crate::ledger::timed;
pub use desk::LetterRow;
use heatmark_proto::desk::v1 as desk;

impl DeskClient {
    /// Has a file sent to a member as soon as its node is there. Gives the letter's id.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send_letter(
        &self,
        to: [u8; 32],
        name: String,
        content: Vec<u8>,
    ) -> Result<[u8; 32], ClientError> {
        let request = desk::SendLetterRequest { to: to.to_vec(), name, content };
        let answer = self.service.clone().send_letter(timed(request, CALL_TIMEOUT)).await?;
        let id = answer.into_inner().id;
        id.try_into().map_err(|_| ClientError::WrongAnswer("a letter's id that is none"))
    }

    /// Letters on their way, and letters that arrived.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn letters(&self) -> Result<(Vec<LetterRow>, Vec<LetterRow>), ClientError> {
        let request = timed(desk::ListLettersRequest {}, CALL_TIMEOUT);
        let answer = self.service.clone().list_letters(request).await?.into_inner();
        let whole = |row: &LetterRow| row.id.len() == 32 && row.member.len() == 32;
        if answer.sent.iter().chain(&answer.arrived).all(whole) {
            Ok((answer.sent, answer.arrived))
        } else {
            Err(ClientError::WrongAnswer("a letter without its ids"))
        }
    }

    /// What a letter that arrived holds.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn letter(&self, id: [u8; 32]) -> Result<Vec<u8>, ClientError> {
        let request = desk::GetLetterRequest { id: id.to_vec() };
        let answer = self.service.clone().get_letter(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().content)
    }

    /// Throws a letter away.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn drop_letter(&self, id: [u8; 32]) -> Result<(), ClientError> {
        let request = desk::DropLetterRequest { id: id.to_vec() };
        self.service.clone().drop_letter(timed(request, CALL_TIMEOUT)).await?;
        Ok(())
    }
}
