//! Tar files, as `caddy storage export`, GNU tar and others write and read them.

mod read;
mod time;
mod write;

pub(super) use read::Archive;
pub(super) use write::Writer;
