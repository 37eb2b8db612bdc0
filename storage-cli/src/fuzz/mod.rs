//! Fuzz targets: what users may hand to the command. See `bad-input`.

mod locations;
mod urls;
