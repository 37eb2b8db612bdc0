use super::stride::Stride;

/// What one page tells the next, packed into the 64 bits of a cursor's hint.
///
/// Any number at all unpacks to a hint. Sizes are rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hint {
    /// How far the next page reaches, or `None` for as far as the range does.
    pub(super) stride: Option<Stride>,
    /// How many pages in a row were empty.
    pub(super) empty_pages: u8,
    /// How large an entry is, or zero if that is not known.
    pub(super) mean_bytes: u64,
    /// How many entries the page before asked for.
    pub(super) limit: u32,
}

/// Where each part lies: its lowest bit, and how many bits it has.
mod parts {
    pub(super) const DEPTH: (u32, u32) = (0, 16);
    pub(super) const STEP: (u32, u32) = (16, 16);
    pub(super) const MEAN_BYTES: (u32, u32) = (32, 16);
    pub(super) const LIMIT: (u32, u32) = (48, 12);
    pub(super) const EMPTY_PAGES: (u32, u32) = (60, 3);
    /// Set in every hint that was packed, so that none is zero.
    pub(super) const KNOWN: (u32, u32) = (63, 1);
}

impl Hint {
    /// Limits and mean sizes are counted in these.
    const LIMIT_UNIT: u32 = 5;
    const MEAN_UNIT: u64 = 64;

    pub(super) fn pack(self) -> u64 {
        let (depth, step) = self.stride.map_or((0, 0), |stride| (stride.depth, pack_step(stride.step)));
        place(1, parts::KNOWN)
            | place(depth.into(), parts::DEPTH)
            | place(step, parts::STEP)
            | place(self.mean_bytes.div_ceil(Self::MEAN_UNIT), parts::MEAN_BYTES)
            | place(self.limit.div_ceil(Self::LIMIT_UNIT).into(), parts::LIMIT)
            | place(self.empty_pages.into(), parts::EMPTY_PAGES)
    }

    pub(super) fn unpack(packed: u64) -> Self {
        if take(packed, parts::KNOWN) == 0 {
            return Self::default();
        }
        let step = unpack_step(take(packed, parts::STEP));
        let depth = u16::try_from(take(packed, parts::DEPTH)).unwrap_or(u16::MAX);
        Self {
            stride: (step > 0).then_some(Stride { depth, step }),
            empty_pages: u8::try_from(take(packed, parts::EMPTY_PAGES)).unwrap_or(u8::MAX),
            mean_bytes: take(packed, parts::MEAN_BYTES) * Self::MEAN_UNIT,
            limit: u32::try_from(take(packed, parts::LIMIT)).unwrap_or(u32::MAX).max(1) * Self::LIMIT_UNIT,
        }
    }
}

/// A number at its place; the largest that fits if it does not fit.
fn place(number: u64, (lowest, bits): (u32, u32)) -> u64 {
    number.min((1 << bits) - 1) << lowest
}

fn take(packed: u64, (lowest, bits): (u32, u32)) -> u64 {
    (packed >> lowest) & ((1 << bits) - 1)
}

/// The eight highest bits of a step, and how many there are below them.
fn pack_step(step: u64) -> u64 {
    let below = (u64::BITS - step.leading_zeros()).saturating_sub(8);
    (step >> below) << 8 | u64::from(below)
}

fn unpack_step(packed: u64) -> u64 {
    let (highest, below) = (packed >> 8, packed & 0xff);
    u32::try_from(below).ok().and_then(|below| highest.checked_shl(below)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_hint_is_zero_and_zero_is_no_hint() {
        assert_eq!(Hint::unpack(0), Hint::default());
        assert_ne!(Hint::default().pack(), 0);
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_as_exactly_as_it_must(
            depth: u16,
            step in 1_u64..,
            empty_pages in 0_u8..8,
            mean_bytes in 0_u64..4_000_000,
            limit in 1_u32..=20_000,
        ) {
            let hint = Hint { stride: Some(Stride { depth, step }), empty_pages, mean_bytes, limit };
            let back = Hint::unpack(hint.pack());
            let stride = back.stride.unwrap();
            prop_assert_eq!(stride.depth, depth);
            prop_assert!(stride.step <= step && stride.step >= step - step / 128, "{} for {step}", stride.step);
            prop_assert_eq!(back.empty_pages, empty_pages);
            prop_assert!((mean_bytes..mean_bytes + 64).contains(&back.mean_bytes));
            prop_assert!((limit..limit + 5).contains(&back.limit));
        }

        #[test]
        fn any_number_is_a_hint(packed: u64) {
            let hint = Hint::unpack(packed);
            prop_assert!(hint.stride.is_none_or(|stride| stride.step > 0));
            prop_assert_eq!(Hint::unpack(hint.pack()).empty_pages, hint.empty_pages);
        }
    }
}
