//! A backend for reading: the whole contract in a `BTreeMap` behind a mutex. `docs/writing-a-backend.md` explains it.

mod backend;
mod lease;
mod store;
mod txn;
mod watch;

pub use backend::ExampleBackend;
