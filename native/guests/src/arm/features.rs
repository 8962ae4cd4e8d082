//! What a CPU model has: an instruction whose feature it lacks is undefined.

pub use crate::features::Features;
use crate::features::features;

/// Needed by what every Armv4T processor has.
pub const V4: Features = Features(0);

features! {
    /// BLX, CLZ, BKPT, loads to the pc that change the instruction set.
    V5 0;
    /// Saturating additions, products of halfwords, LDRD, STRD, PLD.
    V5E 1;
    V6 2;
    /// LDREXB, LDREXH, LDREXD, CLREX, the thread registers of CP15.
    V6K 3;
    /// Thumb-2: MOVW, MOVT, bit fields, MLS, RBIT, LDRHT and their like; 32-bit Thumb instructions.
    T2 4;
    /// DMB, DSB, ISB, PLI.
    V7 5;
    /// SDIV and UDIV in Thumb.
    DIV_T 6;
    /// SDIV and UDIV in A32.
    DIV_A 7;
    /// LDA, STL and their exclusive forms, HLT, SEVL.
    V8 8;
    CRC 9;
    /// PLDW.
    MP 10;
    /// 64-bit accesses of LDRD, STRD, LDREXD are single-copy atomic; the generic timer.
    LPAE 11;
    VFP2 16;
    VFP3 17;
    /// Registers d16-d31.
    D32 18;
    /// Conversions between half and single precision.
    HALF 19;
    VFP4 20;
    NEON 21;
    /// Half-precision arithmetic: VFP, Advanced SIMD.
    FP16 22;
    /// VSEL, VMAXNM, VRINT, VCVTA and their like.
    FPV8 23;
    AES 24;
    PMULL 25;
    SHA1 26;
    SHA2 27;
    RDM 28;
    DOTPROD 29;
    FHM 30;
    FCMA 31;
    JSCVT 32;
    BF16 33;
    I8MM 34;
    SB 35;
    /// Short vectors (FPSCR.LEN and STRIDE are not read-as-zero).
    VECTORS 36;
    /// Double precision.
    DOUBLE 37;
}

/// What the page of the kernel's helpers is made of, on any processor (`qusr/arch/arm/kuser`): there it stands for
/// what a kernel for an older one does otherwise, by restarting or replacing what it interrupts.
pub const HELPERS: Features = Features(V5.0 | V5E.0 | V6.0 | V6K.0);

/// Versions of the architecture, each with what those before it have.
const VERSIONS: &[(&str, Features)] = &[
    ("v4t", V4),
    ("v5t", V5),
    ("v5te", V5E),
    ("v6", V6),
    ("v6k", V6K),
    ("v7", Features(T2.0 | V7.0)),
    ("v8", Features(V8.0 | FPV8.0 | MP.0 | HALF.0)),
];

/// Features by their names in /proc/cpuinfo (arch/arm/kernel/setup.c).
const NAMES: &[(&str, Features)] = &[
    ("vfp", Features(VFP2.0 | DOUBLE.0)),
    ("vfpv3", VFP3),
    ("vfpv4", Features(VFP4.0 | HALF.0)),
    ("vfpd32", D32),
    ("neon", NEON),
    ("idiva", DIV_A),
    ("idivt", DIV_T),
    ("lpae", Features(LPAE.0 | MP.0)),
    ("fphp", FP16),
    ("asimdhp", FP16),
    ("asimddp", DOTPROD),
    ("asimdfhm", FHM),
    ("asimdbf16", BF16),
    ("i8mm", I8MM),
    ("aes", AES),
    ("pmull", PMULL),
    ("sha1", SHA1),
    ("sha2", SHA2),
    ("crc32", CRC),
    ("sb", SB),
    // Not in /proc/cpuinfo.
    ("rdm", RDM),
    ("fcma", FCMA),
    ("jscvt", JSCVT),
    ("vectors", VECTORS),
    ("halfconv", HALF),
    ("mp", MP),
];

/// Those of a CPU model: of its architecture's version and of these names; of none: all.
#[must_use]
pub fn by_names(names: &[String]) -> Features {
    if names.is_empty() {
        return Features(u128::MAX);
    }
    let mut all = Features::default();
    if let Some(n) = VERSIONS.iter().position(|v| names.iter().any(|x| x == v.0)) {
        all = VERSIONS[..=n].iter().fold(all, |all, v| all.and(v.1));
    }
    all.and(Features::named(names, NAMES))
}
