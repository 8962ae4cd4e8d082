//! What a CPU model has, by the names of the ISA manual.

pub use crate::features::Features;
use crate::features::features;

/// Needed by what every processor of either word size has.
pub const I: Features = Features(0);

features! {
    /// Instructions of 64 bits only, and of 32 bits only.
    RV64 0;
    RV32 1;
    M 2;
    A 3;
    F 4;
    D 5;
    C 6;
    ZBA 7;
    ZBB 8;
    ZBC 9;
    ZBS 10;
    ZICOND 11;
    ZFH_MIN 12;
    ZFH 13;
    ZFA 14;
    ZACAS 15;
    ZABHA 16;
    ZAWRS 17;
    ZCB 18;
    ZIMOP 19;
    ZCMOP 20;
    ZICBOM 21;
    ZICBOZ 22;
    ZICBOP 23;
}

/// Needed together.
pub const M64: Features = RV64.and(M);
pub const A64: Features = RV64.and(A);
pub const F64: Features = RV64.and(F);
pub const D64: Features = RV64.and(D);
pub const D32: Features = RV32.and(D);
pub const C64: Features = RV64.and(C);
pub const C32: Features = RV32.and(C);
pub const CD: Features = C.and(D);
pub const CF32: Features = C32.and(F);
pub const ZBA64: Features = RV64.and(ZBA);
pub const ZBB64: Features = RV64.and(ZBB);
pub const ZBB32: Features = RV32.and(ZBB);
pub const ZBS64: Features = RV64.and(ZBS);
pub const ZBS32: Features = RV32.and(ZBS);

/// Both word sizes and all extensions, but for the word sizes' own bits.
const ALL: Features = Features(!(RV64.0 | RV32.0));

/// Extensions by their names.
const NAMES: &[(&str, Features)] = &[
    ("m", M),
    ("a", A),
    ("f", F),
    ("d", D),
    ("c", C),
    ("zba", ZBA),
    ("zbb", ZBB),
    ("zbc", ZBC),
    ("zbs", ZBS),
    ("zicond", ZICOND),
    ("zfhmin", ZFH_MIN),
    ("zfh", Features(ZFH.0 | ZFH_MIN.0)),
    ("zfa", ZFA),
    ("zacas", ZACAS),
    ("zabha", ZABHA),
    ("zawrs", ZAWRS),
    ("zcb", ZCB),
    ("zimop", ZIMOP),
    ("zcmop", ZCMOP),
    ("zicbom", ZICBOM),
    ("zicboz", ZICBOZ),
    ("zicbop", ZICBOP),
];

/// The names of extensions in a set, for documentation.
#[cfg(test)]
pub fn names(of: Features) -> Vec<&'static str> {
    let there = |f: &&(&'static str, Features)| of.contains(f.1);
    NAMES.iter().filter(there).map(|f| f.0).collect()
}

/// Those of a CPU model with `xlen` bits; of no names: all.
#[must_use]
pub fn by_names(names: &[String], xlen: u8) -> Features {
    let size = if xlen == 64 { RV64 } else { RV32 };
    if names.is_empty() {
        return ALL.and(size);
    }
    Features::named(names, NAMES).and(size)
}
