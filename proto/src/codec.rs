//! The gRPC codec of both ends: a message is measured against its [`shape`] before
//! it is decoded. Refuses what does not fit as the sender's fault.

use crate::shape;
use prost::Message;
use prost::bytes::Buf as _;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstCodec;

/// The other end sent bytes that are no message of the kind expected; the source of such a status.
#[derive(Debug, Clone, Copy)]
pub struct NotAMessage;

impl fmt::Display for NotAMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a message of this kind")
    }
}

impl std::error::Error for NotAMessage {}

/// Encodes `T`, decodes `U` within its bounds.
#[derive(Debug, Clone)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = <ProstCodec<T, U> as Codec>::Encoder;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::default().encoder()
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

/// Decodes one message at a time.
#[derive(Debug)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<U: Message + Default + 'static> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // One piece: a message is gathered before it is decoded.
        let whole = bytes.chunk().len() == bytes.remaining();
        let fitting = whole && shape::fits(bytes.chunk(), shape::of::<U>());
        match fitting.then(|| U::decode(bytes)) {
            Some(Ok(message)) => Ok(Some(message)),
            _ => {
                let mut status = Status::invalid_argument(NotAMessage.to_string());
                status.set_source(Arc::new(NotAMessage));
                Err(status)
            }
        }
    }
}
