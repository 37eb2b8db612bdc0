//! kvfs
fn main() {}
