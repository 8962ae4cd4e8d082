//! What the Rust side needs to know of a guest's binary interface.
//!
//! The facts themselves are Python's (`qusr/arch/`); they arrive here as data.

/// Byte order and word size of a guest, as [`crate::thunk`] and
/// [`crate::memory`] need them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestAbi {
    /// Width of a guest `long` and of a guest pointer, in bits: 32 or 64.
    pub word_bits: u8,
    /// True when guest data is big-endian.
    pub big_endian: bool,
}

impl GuestAbi {
    /// That of this host, for what processes of qusr tell one another.
    pub const HOST: Self = Self {
        word_bits: 64,
        big_endian: false,
    };

    /// Size of a guest pointer in bytes.
    #[must_use]
    pub fn word_bytes(self) -> usize {
        usize::from(self.word_bits / 8)
    }
}
