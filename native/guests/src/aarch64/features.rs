//! What a CPU model has: an instruction whose feature it lacks is undefined.
//!
//! [`needed`] finds the feature of an instruction by patterns as those of the decode table. It is only asked where a model
//! lacks something that others have.

use crate::decode::{self, Line};
use crate::features::Features;

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident $bit:literal $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Features = Features(1 << $bit);)*

        /// By their names in /proc/cpuinfo, or those that `qusr/arch/aarch64/cpu.py` gives what is not there.
        const NAMES: &[(&str, Features)] = &[$(($text, $name)),*];
    };
}

features! {
    FP 0 "fp";
    AES 1 "aes";
    PMULL 2 "pmull";
    SHA1 3 "sha1";
    SHA2 4 "sha2";
    CRC32 5 "crc32";
    ATOMICS 6 "atomics";
    FPHP 7 "fphp";
    ASIMDHP 8 "asimdhp";
    RDM 9 "asimdrdm";
    JSCVT 10 "jscvt";
    FCMA 11 "fcma";
    LRCPC 12 "lrcpc";
    DCPOP 13 "dcpop";
    SHA3 14 "sha3";
    SM3 15 "sm3";
    SM4 16 "sm4";
    ASIMDDP 17 "asimddp";
    SHA512 18 "sha512";
    ASIMDFHM 19 "asimdfhm";
    DIT 20 "dit";
    /// LSE2: what does not cross 16 bytes need not be aligned.
    USCAT 21 "uscat";
    ILRCPC 22 "ilrcpc";
    FLAGM 23 "flagm";
    SSBS 24 "ssbs";
    SB 25 "sb";
    DCPODP 26 "dcpodp";
    FLAGM2 27 "flagm2";
    FRINT 28 "frint";
    I8MM 29 "i8mm";
    BF16 30 "bf16";
    WFXT 31 "wfxt";
    RNG 32 "rng";
    CSSC 33 "cssc";
    CMPBR 34 "cmpbr";
    MOPS 35 "mops";
    HBC 36 "hbc";
    LSE128 37 "lse128";
    /// LDLAR, STLLR.
    LOR 39 "lor";
    /// Authentication of addresses, and the generic one.
    PACA 40 "paca";
    PACG 41 "pacg";
    /// A wrong code faults where it is looked at; also in the instructions that do something else, too.
    FPAC 43 "fpac";
    FPACCOMBINE 44 "fpaccombine";
    /// The algorithms; with neither, one of our own.
    QARMA5 45 "qarma5";
    QARMA3 46 "qarma3";
    /// CNTVCTSS_EL0.
    ECV 47 "ecv";
    SVE 48 "sve";
    SVE2 49 "sve2";
    SVE_AES 50 "sveaes";
    SVE_PMULL 51 "svepmull";
    SVE_BITPERM 52 "svebitperm";
    SVE_SHA3 53 "svesha3";
    SVE_SM4 54 "svesm4";
    SVE_I8MM 55 "svei8mm";
    SVE_F32MM 56 "svef32mm";
    SVE_F64MM 57 "svef64mm";
    SVE_BF16 58 "svebf16";
    BTI 59 "bti";
    /// With the instructions that need no tags in memory (FEAT_MTE2).
    MTE 60 "mte";
}

/// Where the vector lengths are that a model has: a bit for each number of quadwords, from 1 on; above them a program's
/// first length, less one.
const LENGTHS: u32 = 64;
const FIRST_LENGTH: u32 = LENGTHS + 16;

/// What `sveN` (bits) and `sve-default-N` (quadwords) name.
fn lengths(name: &str) -> Features {
    let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n > 0);
    if let Some(n) = name.strip_prefix("sve-default-").and_then(number) {
        return Features(u128::from(n.min(16) - 1) << FIRST_LENGTH);
    }
    let bits = name.strip_prefix("sve").and_then(number);
    bits.filter(|n| n.is_multiple_of(128) && *n <= 2048)
        .map_or(Features::default(), |n| {
            Features(1 << (LENGTHS + n / 128 - 1))
        })
}

/// The vector lengths of a model: bit n - 1 for n quadwords.
#[must_use]
pub fn lengths_of(features: Features) -> u64 {
    (features.0 >> LENGTHS) as u64 & 0xffff
}

/// A program's first vector length in quadwords; 0 without vectors of that kind.
#[must_use]
pub fn first_length(features: Features) -> u64 {
    if features.contains(SVE) {
        (features.0 >> FIRST_LENGTH) as u64 + 1
    } else {
        0
    }
}

/// The features of the processor, with these vector lengths only, and the first of them that programs have (quadwords).
#[cfg(test)]
#[must_use]
pub const fn with_length(features: Features, quads: u32) -> Features {
    Features(features.0 | 1 << (LENGTHS + quads - 1) | ((quads - 1) as u128) << FIRST_LENGTH)
}

/// All of SVE and SVE2.
#[cfg(test)]
pub const ALL_SVE: Features = Features(((1 << 59) - 1) & !((1 << 48) - 1));

/// Of models: the names' ones; of none, all but the algorithms.
#[must_use]
pub fn by_names(names: &[String]) -> Features {
    let all = |known: Features, f: &(&str, Features)| known.and(f.1);
    if names.is_empty() {
        return USUAL;
    }
    let known = NAMES.iter().filter(|f| names.iter().any(|x| x == f.0));
    let known = known.fold(Features::default(), all);
    names
        .iter()
        .fold(known, |known, name| known.and(lengths(name)))
}

/// With these, nothing that has a lifter is undefined.
pub const USUAL: Features = Features(((1 << 48) - 1) & !(QARMA5.0 | QARMA3.0));

/// What Unicorn executes as its model `max`.
#[cfg(test)]
pub const OF_UNICORN: Features = Features((((1 << 31) - 1) & !USCAT.0) | LOR.0);

/// The name of one.
#[cfg(test)]
#[must_use]
pub fn name(feature: Features) -> &'static str {
    NAMES.iter().find(|f| f.1 == feature).map_or("", |f| f.0)
}

const BASE: Features = Features(0);

macro_rules! needs {
    ($($pattern:literal $feature:expr;)*) => {
        /// The first pattern that an instruction matches says what it needs.
        static NEEDS: &[(Line, Features)] = &[$((
            Line { mask: decode::parse($pattern, 32, b'm'), value: decode::parse($pattern, 32, b'v'), number: 0 },
            $feature,
        )),*];
    };
}

// By the index of the Arm ARM's encodings (C4.1).
needs! {
    "zz 001000 1 L 1 sssss o 11111 nnnnn ttttt" ATOMICS;
    "0z 001000 0 L 1 sssss o 11111 nnnnn ttttt" ATOMICS;
    "zz 111000 101 11111 1 100 00 nnnnn ttttt" LRCPC;
    "zz 111000 a r 1 sssss o ooo 00 nnnnn ttttt" ATOMICS;
    "zz 001000 1L0 11111 0 11111 nnnnn ttttt" LOR;
    "zz 011001 oo 0 iiiiiiiii 00 nnnnn ttttt" ILRCPC;
    "00 011001 a r 1 mmmmm o ooo 00 nnnnn ttttt" LSE128;
    "00 011 o 01 oo 0 sssss pppp 01 nnnnn ddddd" MOPS;
    "z 00 11010110 mmmmm 010 Czz nnnnn ddddd" CRC32;
    "z 00 11010110 mmmmm 011 0oo nnnnn ddddd" CSSC;
    "z 10 11010110 00000 001 000 nnnnn ddddd" CSSC;
    "z 10 11010110 00000 000 11o nnnnn ddddd" CSSC;
    "z 00 100011 1 00 oo iiiiiiii nnnnn ddddd" CSSC;
    "1 10 11010110 00001 zzzzzz nnnnn ddddd" PACA;
    "1 00 11010110 mmmmm 001100 nnnnn ddddd" PACG;
    "11 111000 M S 1 iiiiiiiii W 1 nnnnn ttttt" PACA;
    "1101011 z 0 oo 11111 00001 M nnnnn mmmmm" PACA;
    "01010100 iiiiiiiiiiiiiiiiiii 1 cccc" HBC;
    "z 111010 i ccc mmmmm ww iiiiiiiii ttttt" CMPBR;
    "1 0 1 11010000 iiiiii 00001 nnnnn 0 ffff" FLAGM;
    "0 0 1 11010000 000000 z 0010 nnnnn 01101" FLAGM;
    "11010101 00000000 0100 0000 000 11111" FLAGM;
    "11010101 00000000 0100 0000 0oo 11111" FLAGM2;
    "11010101 00000011 0001 0000 00o ttttt" WFXT;
    "11010101 00000011 0011 0000 111 11111" SB;
    "11010101 00000 011 0100 mmmm 001 11111" SSBS;
    "11010101 00000 011 0100 mmmm 010 11111" DIT;
    "11010101 00L1 1 011 0100 0010 101 ttttt" DIT;
    "11010101 00L1 1 011 0100 0010 110 ttttt" SSBS;
    "11010101 0011 1 011 0010 0100 00p ttttt" RNG;
    "11010101 0011 1 011 1110 0000 110 ttttt" ECV;
    "11010101 00001 011 0111 1100 001 ttttt" DCPOP;
    "11010101 00001 011 0111 1101 001 ttttt" DCPODP;
    // Scalar floating point.
    "0001111001111110000000 nnnnn ddddd" JSCVT;
    "000 11110 01 1 000110 10000 nnnnn ddddd" BF16;
    "000 11110 11 1 00010o 10000 nnnnn ddddd" BASE;
    "000 11110 tt 1 0100oo 10000 nnnnn ddddd" FRINT;
    "000 11110 11 1 zzzzz zzzzzz nnnnn ddddd" FPHP;
    "100 11110 11 1 zzzzz zzzzzz nnnnn ddddd" FPHP;
    "z00 11110 11 0 rr ooo ssssss nnnnn ddddd" FPHP;
    "000 11111 11 o mmmmm o aaaaa nnnnn ddddd" FPHP;
    // Cryptography.
    "01001110 00 10100 ooooo 10 nnnnn ddddd" AES;
    "0 q 0 01110 11 1 mmmmm 1110 00 nnnnn ddddd" PMULL;
    "01011110 000 mmmmm 0 1oo 00 nnnnn ddddd" SHA2;
    "01011110 000 mmmmm 0 0oo 00 nnnnn ddddd" SHA1;
    "01011110 00 10100 00010 10 nnnnn ddddd" SHA2;
    "01011110 00 10100 0000o 10 nnnnn ddddd" SHA1;
    "11001110 011 mmmmm 1000 11 nnnnn ddddd" SHA3;
    "11001110 011 mmmmm 1000 oo nnnnn ddddd" SHA512;
    "11001110 110 00000 100000 nnnnn ddddd" SHA512;
    "11001110 00o mmmmm 0 aaaaa nnnnn ddddd" SHA3;
    "11001110 100 mmmmm iiiiii nnnnn ddddd" SHA3;
    "11001110 011 mmmmm 1100 10 nnnnn ddddd" SM4;
    "11001110 110 00000 100001 nnnnn ddddd" SM4;
    "11001110 011 mmmmm 1100 0o nnnnn ddddd" SM3;
    "11001110 010 mmmmm zzzzzz nnnnn ddddd" SM3;
    // Vectors: three registers of the same type, with additions.
    "0 q 1 01110 zz 0 mmmmm 1 000o 1 nnnnn ddddd" RDM;
    "01 1 11110 zz 0 mmmmm 1 000o 1 nnnnn ddddd" RDM;
    "0 q u 01110 zz 0 mmmmm 1 0010 1 nnnnn ddddd" ASIMDDP;
    "0 q 0 01110 zz 0 mmmmm 1 0011 1 nnnnn ddddd" I8MM;
    "0 q u 01110 zz 0 mmmmm 1 010o 1 nnnnn ddddd" I8MM;
    "0 q 1 01110 zz 0 mmmmm 1 10rr 1 nnnnn ddddd" FCMA;
    "0 q 1 01110 zz 0 mmmmm 1 11r0 1 nnnnn ddddd" FCMA;
    "0 q 1 01110 z1 0 mmmmm 1 11z1 1 nnnnn ddddd" BF16;
    "0 q u 01110 a 10 mmmmm 00 ooo 1 nnnnn ddddd" ASIMDHP;
    "01 u 11110 a 10 mmmmm 00 ooo 1 nnnnn ddddd" ASIMDHP;
    "0 q u 01110 a 111100 ooooo 10 nnnnn ddddd" ASIMDHP;
    "01 u 11110 a 111100 ooooo 10 nnnnn ddddd" ASIMDHP;
    "0 q 0 01110 z 0 1 mmmmm 11101 1 nnnnn ddddd" ASIMDFHM;
    "0 q 1 01110 z 0 1 mmmmm 11001 1 nnnnn ddddd" ASIMDFHM;
    "0 q u 01110 0z 10000 1111o 10 nnnnn ddddd" FRINT;
    "0 q 0 01110 10 10000 10110 10 nnnnn ddddd" BF16;
    "0 q 0 01110 z0 11000 011zz 10 nnnnn ddddd" ASIMDHP;
    "01 0 11110 z0 11000 011zz 10 nnnnn ddddd" ASIMDHP;
    "0 q 0 0111100000 iii 1111 1 1 iiiii ddddd" ASIMDHP;
    "0 q u 011110 001h bbb 111zz 1 nnnnn ddddd" ASIMDHP;
    "01 u 111110 001h bbb 111zz 1 nnnnn ddddd" ASIMDHP;
    // By an element.
    "0 q 1 01111 zz l mmmmm 11o1 h 0 nnnnn ddddd" RDM;
    "01 1 11111 zz l mmmmm 11o1 h 0 nnnnn ddddd" RDM;
    "0 q u 01111 zz l mmmmm 1110 h 0 nnnnn ddddd" ASIMDDP;
    "0 q 0 01111 z0 l mmmmm 1111 h 0 nnnnn ddddd" I8MM;
    "0 q 0 01111 z1 l mmmmm 1111 h 0 nnnnn ddddd" BF16;
    "0 q 1 01111 zz l mmmmm 0rr1 h 0 nnnnn ddddd" FCMA;
    "0 q 0 01111 10 l mmmmm 0z00 h 0 nnnnn ddddd" ASIMDFHM;
    "0 q 1 01111 10 l mmmmm 1z00 h 0 nnnnn ddddd" ASIMDFHM;
    "0 q u 01111 00 l mmmmm zz01 h 0 nnnnn ddddd" ASIMDHP;
    "01 u 11111 00 l mmmmm zz01 h 0 nnnnn ddddd" ASIMDHP;
}

/// What an instruction needs of the processor beyond Armv8.0-A, if it is one.
#[must_use]
pub fn needed(bits: u32) -> Features {
    let found = NEEDS
        .iter()
        .find(|(line, _)| bits & line.mask == line.value);
    found.map_or(BASE, |(_, feature)| *feature)
}
