//! What a lot costs.
fn main() {}
