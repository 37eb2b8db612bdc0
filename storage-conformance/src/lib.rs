//! storage-conformance
