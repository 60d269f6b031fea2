//! Generates the messages, and with the feature `rpc` the gRPC services, without `protoc`.

use prost::Message as _;
use std::{env, error::Error, fs, path::PathBuf};

const FILES: &[&str] = &[
    "heatmark/ledger/v1/transaction.proto",
    "heatmark/ledger/v1/block.proto",
    "heatmark/ledger/v1/receipt.proto",
    "heatmark/ledger/v1/evidence.proto",
    "heatmark/ledger/v1/state.proto",
    "heatmark/ledger/v1/service.proto",
    "heatmark/desk/v1/desk.proto",
    "heatmark/desk/v1/escrow.proto",
    "heatmark/exchange/v1/exchange.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let rpc = env::var_os("CARGO_FEATURE_RPC").is_some();
    tonic_prost_build::configure()
        .build_client(rpc)
        .build_server(rpc)
        .codec_path("crate::codec::BoundedCodec")
        .bytes(".heatmark.ledger.v1.Block.transactions")
        .compile_fds(descriptors)?;
    Ok(())
}
