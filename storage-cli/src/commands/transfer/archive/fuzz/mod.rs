//! Fuzz targets: tars from anywhere. See `bad-input`.

mod tars;
