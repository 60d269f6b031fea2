//! Letters: what one member's node hands to another's, and to nobody else. A letter is taken once the receiver's node
//! has it on disk; until then the sender keeps it. Refuses letters that are too long, more than one at a time in
//! a direction, and answers that are none. Specification: `proto/README.md`, section 8.

use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use heatmark_ledger::ids::{MemberId, NetworkId};
use libp2p::StreamProtocol;
use libp2p::request_response::{self, Codec, ProtocolSupport};
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::oneshot;

/// Longest letter, in bytes.
pub const MAX_LETTER_BYTES: usize = 16 * 1024 * 1024;

/// How long a letter and its answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// One letter each way on one connection: both sides may write at once. `Post` answers a second one of the same member's.
const STREAMS: usize = 2;
/// What is allocated before anything has arrived.
const FIRST_BYTES: usize = 64 * 1024;

pub(crate) type Letters = request_response::Behaviour<LetterCodec>;

/// What a node says to a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is on disk; the sender may forget it.
    Taken,
    /// Not now: send it again later.
    Later,
    /// Never: it is not understood, or not acceptable.
    Refused,
}

/// Why a letter has no answer. It may have arrived all the same: whoever reads letters takes one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LetterError {
    /// None of the member's nodes is connected. Send again once one is.
    #[error("the member's node is not connected")]
    Away,
    /// Too long for a letter; nothing was sent. Hand it over as a file.
    #[error("a letter has at most {MAX_LETTER_BYTES} bytes")]
    TooLong,
    /// Too many letters are on their way. Send again later.
    #[error("too many letters are on their way")]
    Busy,
    /// The connection broke, or no answer came in time. Send again later.
    #[error("the letter was not answered")]
    Unanswered,
    /// The exchange has stopped.
    #[error("the exchange has stopped")]
    Stopped,
}

/// A letter that arrived.
#[derive(Debug)]
pub struct Letter {
    /// Whose node sent it.
    pub from: MemberId,
    /// Its bytes, at most [`MAX_LETTER_BYTES`].
    pub content: Bytes,
    /// To be told once it is on disk; dropped, it says [`Answer::Later`].
    pub answer: oneshot::Sender<Answer>,
}

/// How letters stand on a stream: `u32be length ‖ bytes`, answered by one byte.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LetterCodec;

/// The behaviour that carries letters of one network.
pub(crate) fn behaviour(network: &NetworkId) -> Option<Letters> {
    let name = format!("/heatmark/letters/v1/{network}");
    let protocol = StreamProtocol::try_from_owned(name).ok()?;
    let config = request_response::Config::default()
        .with_request_timeout(TIMEOUT)
        .with_max_concurrent_streams(STREAMS);
    Some(Letters::with_codec(LetterCodec, [(protocol, ProtocolSupport::Full)], config))
}

impl Answer {
    const fn byte(self) -> u8 {
        match self {
            Self::Taken => 0,
            Self::Later => 1,
            Self::Refused => 2,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Taken),
            1 => Some(Self::Later),
            2 => Some(Self::Refused),
            _ => None,
        }
    }
}

#[async_trait::async_trait]
impl Codec for LetterCodec {
    type Protocol = StreamProtocol;
    type Request = Bytes;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Bytes>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut length = [0; 4];
        io.read_exact(&mut length).await?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MAX_LETTER_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a letter is too long"));
        }
        // Memory follows what arrives, not what is announced.
        let mut letter = Vec::with_capacity(length.min(FIRST_BYTES));
        let limit = u64::try_from(length).unwrap_or(u64::MAX);
        io.take(limit).read_to_end(&mut letter).await?;
        if letter.len() == length {
            Ok(letter.into())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    async fn read_response<T>(&mut self, _: &Self::Protocol, io: &mut T) -> io::Result<Answer>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut byte = [0; 1];
        io.read_exact(&mut byte).await?;
        let [byte] = byte;
        Answer::from_byte(byte)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an answer"))
    }

    async fn write_request<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        letter: Bytes,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let length = u32::try_from(letter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        io.write_all(&length.to_be_bytes()).await?;
        io.write_all(&letter).await?;
        io.close().await
    }

    async fn write_response<T>(
        &mut self,
        _: &Self::Protocol,
        io: &mut T,
        answer: Answer,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&[answer.byte()]).await?;
        io.close().await
    }
}
