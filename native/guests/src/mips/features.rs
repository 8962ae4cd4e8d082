//! What a CPU model has, by the release of the instruction set and the names of extensions.

pub use crate::features::Features;
use crate::features::features;

/// Needed by what every processor has.
pub const I: Features = Features(0);

features! {
    /// Registers of 64 bits.
    WIDE 0;
    /// Instructions that release 6 took out or gave other meanings, and what it brought.
    OLD 1;
    R6 2;
    /// Release 2 of MIPS32 and MIPS64, and later ones.
    R2 3;
    /// Paired singles.
    PS 4;
    /// NaNs are those of IEEE 754-2008: FCSR.NAN2008 and ABS2008 are 1.
    NAN2008 5;
    /// MIPS32 and MIPS64, of any release, beyond MIPS IV.
    R1 6;
    /// COP1X, MOVZ and the like: MIPS IV, or release 2 with 32 bits.
    MIPS4 7;
    /// Branch-likely, traps, LL and SC: MIPS II.
    MIPS2 8;
    /// The DSP module, and its release 2.
    DSP 9;
    DSP2 10;
}

/// Needed together.
pub const OLD_WIDE: Features = OLD.and(WIDE);
pub const R6_WIDE: Features = R6.and(WIDE);
pub const R2_WIDE: Features = R2.and(WIDE);
pub const OLD_R1: Features = OLD.and(R1);
pub const OLD_R1_WIDE: Features = OLD_R1.and(WIDE);
pub const OLD_MIPS2: Features = OLD.and(MIPS2);
pub const OLD_MIPS2_WIDE: Features = OLD_MIPS2.and(WIDE);
pub const OLD_MIPS4: Features = OLD.and(MIPS4);

const RELEASE_1: Features = MIPS2.and(MIPS4).and(R1);
const RELEASE_2: Features = RELEASE_1.and(R2);

const NAMES: &[(&str, Features)] = &[
    ("mips1", OLD),
    ("mips2", Features(OLD.0 | MIPS2.0)),
    ("mips3", Features(OLD.0 | MIPS2.0)),
    ("mips4", Features(OLD.0 | MIPS2.0 | MIPS4.0)),
    ("r1", Features(OLD.0 | RELEASE_1.0)),
    ("r2", Features(OLD.0 | RELEASE_2.0)),
    ("r6", Features(R6.0 | RELEASE_2.0)),
    ("ps", PS),
    ("nan2008", NAN2008),
    ("dsp", DSP),
    ("dsp2", DSP2),
];

/// The names of what a line needs, for documentation.
#[cfg(test)]
pub fn names(of: Features) -> Vec<&'static str> {
    const BITS: [(&str, Features); 10] = [
        ("64 bits", WIDE),
        ("before release 6", OLD),
        ("release 6", R6),
        ("release 2", R2),
        ("paired singles", PS),
        ("release 1", R1),
        ("MIPS IV", MIPS4),
        ("MIPS II", MIPS2),
        ("DSP", DSP),
        ("DSP R2", DSP2),
    ];
    let own = BITS.iter().filter(|f| of.contains(f.1));
    own.map(|f| f.0).collect()
}

/// Those of a CPU model with registers of 64 bits, or of 32; of no names: release 2 with all that there is for it.
#[must_use]
pub fn by_names(names: &[String], wide: bool) -> Features {
    let size = if wide { WIDE } else { I };
    if names.is_empty() {
        return OLD.and(RELEASE_2).and(PS).and(size);
    }
    Features::named(names, NAMES).and(size)
}
