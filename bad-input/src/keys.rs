use bolero::{Driver, ValueGenerator};

use crate::Choice;

/// Bytes of keys of a store, up to eight, mostly of the bytes at which ranges end: so short that many are neighbours.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyBytes;

/// The lowest and the highest, those around the slash, and some between.
const BYTES: [u8; 10] = [0x00, 0x01, b'.', b'/', b'0', b'a', b'b', 0x7f, 0xfe, 0xff];

impl ValueGenerator for KeyBytes {
    type Output = Vec<u8>;

    fn generate<D: Driver>(&self, driver: &mut D) -> Option<Vec<u8>> {
        let length = driver.number(0..=8)?;
        (0..length)
            .map(|_| if driver.once_in(8)? { driver.produce() } else { driver.pick(&BYTES).copied() })
            .collect()
    }
}
