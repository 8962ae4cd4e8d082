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
    V 24;
    ZVFH_MIN 25;
    ZVFH 26;
    ZVFBF_MIN 27;
    ZVFBF_WMA 28;
    ZFBF_MIN 29;
    ZVBB 30;
    ZVKB 31;
    ZVBC 32;
    ZVKNED 33;
    ZVKNHA 34;
    ZVKNHB 35;
    ZVKSED 36;
    ZVKSH 37;
    ZVKG 38;
    ZBKB 39;
    ZBKC 40;
    ZBKX 41;
    ZKND 42;
    ZKNE 43;
    ZKNH 44;
    ZKSED 45;
    ZKSH 46;
    /// Vector registers of more than 128 bits.
    VLEN_256 47;
    VLEN_512 48;
    VLEN_1024 49;
    /// What Zbb and Zbkb share, Zbc and Zbkc, and Zknd and Zkne.
    ROTATES 50;
    CARRYLESS 51;
    ZKNX 52;
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

/// Both word sizes and all extensions, but for the word sizes' own bits, and vectors of the usual length.
const ALL: Features = Features(!(RV64.0 | RV32.0 | VLEN_256.0 | VLEN_512.0 | VLEN_1024.0));

/// log2 of the bytes of a vector register.
#[must_use]
pub fn log_bytes(of: Features) -> u32 {
    let longer = [VLEN_256, VLEN_512, VLEN_1024];
    4 + longer
        .iter()
        .rposition(|&f| of.contains(f))
        .map_or(0, |n| n as u32 + 1)
}

/// Extensions by their names.
const NAMES: &[(&str, Features)] = &[
    ("m", M),
    ("a", A),
    ("f", F),
    ("d", D),
    ("c", C),
    ("zba", ZBA),
    ("zbb", Features(ZBB.0 | ROTATES.0)),
    ("zbc", Features(ZBC.0 | CARRYLESS.0)),
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
    ("v", V),
    ("zvfhmin", ZVFH_MIN),
    ("zvfh", Features(ZVFH.0 | ZVFH_MIN.0)),
    ("zvfbfmin", ZVFBF_MIN),
    ("zvfbfwma", ZVFBF_WMA),
    ("zfbfmin", ZFBF_MIN),
    ("zvbb", Features(ZVBB.0 | ZVKB.0)),
    ("zvkb", ZVKB),
    ("zvbc", ZVBC),
    ("zvkned", ZVKNED),
    ("zvknha", ZVKNHA),
    ("zvknhb", Features(ZVKNHB.0 | ZVKNHA.0)),
    ("zvksed", ZVKSED),
    ("zvksh", ZVKSH),
    ("zvkg", ZVKG),
    ("zbkb", Features(ZBKB.0 | ROTATES.0)),
    ("zbkc", Features(ZBKC.0 | CARRYLESS.0)),
    ("zbkx", ZBKX),
    ("zknd", Features(ZKND.0 | ZKNX.0)),
    ("zkne", Features(ZKNE.0 | ZKNX.0)),
    ("zknh", ZKNH),
    ("zksed", ZKSED),
    ("zksh", ZKSH),
    ("vlen256", VLEN_256),
    ("vlen512", VLEN_512),
    ("vlen1024", VLEN_1024),
];

/// The names of the extensions that a line needs, for documentation.
#[cfg(test)]
pub fn names(of: Features) -> Vec<&'static str> {
    const SHARED: [(&str, Features); 3] = [
        ("zbb/zbkb", ROTATES),
        ("zbc/zbkc", CARRYLESS),
        ("zknd/zkne", ZKNX),
    ];
    let known = |f: &(&str, Features)| Features(f.1.0 & !(ROTATES.0 | CARRYLESS.0 | ZKNX.0));
    let shared = SHARED.iter().filter(|f| of.contains(f.1)).map(|f| f.0);
    let own = NAMES
        .iter()
        .filter(|f| known(f).0 != 0 && of.contains(known(f)));
    own.map(|f| f.0).chain(shared).collect()
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
