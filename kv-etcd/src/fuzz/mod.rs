//! Fuzz targets: what other code and users may hand to this crate. See `bad-input`.

mod bounds;
mod settings;
