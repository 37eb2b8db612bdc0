use std::fmt;
use std::str::FromStr;

use sha1::{Digest, Sha1};

/// The SHA-1 of a file's content: finds damage, not forgery.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha1Digest([u8; 20]);

impl Sha1Digest {
    /// The digest of these bytes.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha1::digest(content).into())
    }

    /// A digest that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Its twenty bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

/// The hexadecimal digits of these bytes, in a buffer of twice as many.
pub(crate) fn digits<'d>(bytes: &[u8], buffer: &'d mut [u8]) -> &'d str {
    hex::encode_to_slice(bytes, buffer).expect("two digits for each byte");
    std::str::from_utf8(buffer).expect("digits are ASCII")
}

impl fmt::Display for Sha1Digest {
    /// Forty lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(digits(&self.0, &mut [0; 40]))
    }
}

impl fmt::Debug for Sha1Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha1Digest({self})")
    }
}

impl FromStr for Sha1Digest {
    type Err = InvalidDigest;

    /// Reads forty hexadecimal digits.
    fn from_str(digits: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| InvalidDigest)?;
        Ok(Self(bytes))
    }
}

/// What was read is not forty hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-1 is forty hexadecimal digits")]
#[non_exhaustive]
pub struct InvalidDigest;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_standard_one() {
        // FIPS 180-2, appendix A.1.
        assert_eq!(Sha1Digest::of(b"abc").to_string(), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn its_text_reads_back() {
        let digest = Sha1Digest::of(b"x");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("a9".parse::<Sha1Digest>(), Err(InvalidDigest));
        assert_eq!("zz".repeat(20).parse::<Sha1Digest>(), Err(InvalidDigest));
    }
}
