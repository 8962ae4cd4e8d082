//! CRC-32 as in zlib (polynomial 0xedb88320, reflected), by the processor's instructions where it has them.
//!
//! Python's `zlib` has it too, but loading that module and its library takes longer than all checksums of a start.

/// The CRC of `data` behind what had the CRC `before` (0: nothing).
#[must_use]
pub fn crc32(data: &[u8], before: u32) -> u32 {
    let mut sum = crc32fast::Hasher::new_with_initial(before);
    sum.update(data);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::crc32;

    /// The check value of every catalogue of CRCs, and what zlib gives.
    #[test]
    fn known_values() {
        assert_eq!(crc32(b"123456789", 0), 0xcbf4_3926);
        assert_eq!(crc32(b"", 0), 0);
        assert_eq!(crc32(&[0; 32], 0), 0x190a_55ad);
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(crc32(text, 0), 0x414f_a339);
        for cut in 0..text.len() {
            assert_eq!(crc32(&text[cut..], crc32(&text[..cut], 0)), 0x414f_a339);
        }
    }
}
