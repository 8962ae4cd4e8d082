//! Random numbers: the host's, or those that follow from a seed.

/// The next number. A seed that is not 0 steps on by SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
/// Generators"); 0: the host's randomness.
pub fn number(seed: &mut u64) -> u64 {
    if *seed == 0 {
        let mut bytes = [0; 8];
        // SAFETY: the kernel writes at most 8 bytes; that many are given at once (getrandom(2)).
        let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        assert_eq!(got, 8, "getrandom(2) gives 8 bytes");
        return u64::from_le_bytes(bytes);
    }
    // An even step leaves an odd number odd, so not 0.
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c16);
    let z = *seed;
    let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}
