//! A small, safe file tree for the members of a cluster, on any transactional key-value store.
pub mod kv;
