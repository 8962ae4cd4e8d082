//! CRC-32 as in zlib (polynomial 0xedb88320, reflected), eight bytes at a time.
//!
//! Python's `zlib` has it too, but loading that module and its library takes longer than all checksums of a start.

const POLYNOMIAL: u32 = 0xedb8_8320;

/// `TABLES[n][b]` is the CRC of byte `b` with `n` zero bytes behind it.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut t = [[0; 256]; 8];
    let mut b = 0;
    while b < 256 {
        let mut crc = b as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 {
                crc >> 1 ^ POLYNOMIAL
            } else {
                crc >> 1
            };
            bit += 1;
        }
        t[0][b] = crc;
        b += 1;
    }
    let mut n = 1;
    while n < 8 {
        let mut b = 0;
        while b < 256 {
            let before = t[n - 1][b];
            t[n][b] = before >> 8 ^ t[0][(before & 0xff) as usize];
            b += 1;
        }
        n += 1;
    }
    t
}

/// The CRC of `data` behind what had the CRC `before` (0: nothing).
#[must_use]
pub fn crc32(data: &[u8], before: u32) -> u32 {
    let mut crc = !before;
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        let value = u64::from_le_bytes(*word) ^ u64::from(crc);
        crc = value
            .to_le_bytes()
            .iter()
            .zip(TABLES.iter().rev())
            .fold(0, |sum, (&byte, table)| sum ^ table[usize::from(byte)]);
    }
    for &byte in rest {
        crc = crc >> 8 ^ TABLES[0][usize::from(crc as u8 ^ byte)];
    }
    !crc
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
