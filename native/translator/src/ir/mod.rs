//! The translator's intermediate representation.
//!
//! A [`Block`] is a straight line of [`Inst`]s with one entry and side exits. A value
//! is the index of the instruction that made it; there are three kinds:
//! *general* (64 bits; each operation says how many low bits it reads and clears
//! what lies above its width in the result), *wide* (128 bits: vectors, and floating-point scalars in
//! the low bits) and *flags* (never in a register: a flag-making operation is
//! repeated where a condition asks for it).
//!
//! Nothing here knows a guest or a host. Two packings are fixed because every
//! part must agree on them: [`flags`] and the floating-point environment in
//! [`state::State::fpenv`].

mod address;
pub mod build;
pub mod ciphers;
pub mod class;
pub mod crypto;
pub mod eval;
pub mod flags;
pub mod float;
mod float_away;
mod float_env;
pub mod float_int;
mod fold;
mod half;
pub mod handover;
pub mod interp;
pub mod layout;
mod parts;
pub mod sem;
mod skip;
pub mod state;
mod tagged;
pub mod vector;

use state::Helper;

/// A value: the index of an instruction.
pub type Val = u32;
/// No value.
pub const NONE: Val = u32::MAX;

/// The operations. `w` is the operation's width, or the lane's for vectors, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Op {
    /// imm
    Const,
    // General operations; pure.
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    /// a & !b
    Andn,
    /// a | !b
    Orn,
    /// a ^ !b
    Xorn,
    /// Shifts and rotates: the amount is taken modulo the width.
    Shl,
    Shr,
    Sar,
    Ror,
    /// Division: x / 0 is 0, and the most negative number / -1 is itself.
    UDiv,
    SDiv,
    MulHiU,
    MulHiS,
    Not,
    Neg,
    Clz,
    Ctz,
    /// How many bits are 1.
    Popcnt,
    /// Leading bits equal to the sign bit, less one.
    Cls,
    /// Reverses the bits.
    Rbit,
    /// Reverses the bytes.
    Rev,
    /// Reverses the bytes of each 16 bits (imm = 16) or 32 bits (imm = 32).
    RevIn,
    /// Zero- and sign-extension of the low `w` bits to 64.
    Zext,
    Sext,
    /// The low `w` bits of `a:b >> imm` (a is the high part).
    Extr,
    /// c ? a : b
    Select,
    // Flags.
    /// Flags of a + b, a - b, of the logical result a.
    FAdd,
    FSub,
    FLogic,
    /// Flags of a + b + c where c is 0 or 1. Subtraction with borrow is this with b inverted.
    FAdc,
    /// Flags out of a general value in the [`flags`] packing.
    FPack,
    /// c ? a : b, of flags
    FSelect,
    /// Flags of a floating-point comparison (imm = 1: signals for quiet NaNs too).
    FFcmp,
    /// N and Z of the logical result a, unless it is nothing; C is bit imm of b, unless that is nothing; the others
    /// are those of flags c, or what the block began with if that is nothing.
    FPart,
    /// Condition imm (see [`flags::Cc`]) of flags a: 0 or 1.
    Cc,
    /// Flags a as a general value in the [`flags`] packing.
    Pack,
    // Wide operations on whole values; pure.
    /// imm = index into `Block::wide`
    ConstX,
    VAnd,
    VOr,
    VXor,
    /// a & !b
    VAndn,
    VOrn,
    VNot,
    /// (a & c) | (b & !c)
    VBsl,
    /// Keeps the low `w` bits.
    VZext,
    /// The low `w` bits with ones above them, up to bit 63: a number in a wider register that holds one of several formats.
    VBox,
    /// What `VBox` made a wide number of: the low `w` bits (those above are anything), or the default NaN of `w` bits if
    /// there are not ones above them.
    VUnbox,
    /// The bytes of a (low) and b (high) from byte imm on.
    VExt,
    // Wide operations on lanes; pure.
    VAdd,
    VSub,
    VMul,
    VNeg,
    VAbs,
    VCmpEq,
    VCmpGtS,
    VCmpGeS,
    VCmpGtU,
    VCmpGeU,
    VMinS,
    VMinU,
    VMaxS,
    VMaxU,
    /// By imm; 0..=w.
    VShl,
    VShrU,
    VShrS,
    /// Doubles the lane width of the low half (imm = 0) or the high half (imm = 1).
    VWidenU,
    VWidenS,
    /// Halves the lane width, into the low half; the high half is 0. `w` is the wide lane.
    VNarrow,
    VZip1,
    VZip2,
    VUzp1,
    VUzp2,
    VTrn1,
    VTrn2,
    /// Pairwise over a:b.
    VAddP,
    VMaxPU,
    VMinPU,
    /// Copies general a, or lane imm of wide a, to all lanes.
    VDupG,
    VDupLane,
    /// a with lane imm replaced by general b.
    VIns,
    /// Lane imm of a, zero-extended: a general value.
    VGet,
    /// General a, zero-extended to 128 bits.
    VFromG,
    VPopcnt,
    /// Bit n is the highest bit of byte n of a (w = 16): a general value.
    VMask,
    /// All ones in the lanes whose lowest byte has its bit in general a (bit imm is that of byte 0), 0 in the others.
    VLanes,
    /// Byte table lookup in one register; indices beyond 15 give 0.
    VTbl1,
    /// Reverses the bytes (w = 8) or larger elements in each imm bits.
    VRev,
    /// Sum of all the lanes, in lane 0.
    VSumU,
    /// Sums of neighbouring lanes, in lanes of twice the width.
    VPairU,
    VPairS,
    /// Products of the lanes of the low half (imm = 0) or the high half (imm = 1), of twice the width.
    VMulLU,
    VMulLS,
    /// The high halves of the products.
    VMulHiS,
    /// The high halves of the doubled products, rounded; the one that does not fit wraps.
    VMulRoundS,
    /// (a + b + 1) / 2
    VAvgU,
    /// Saturating.
    VAddSatU,
    VAddSatS,
    VSubSatU,
    VSubSatS,
    /// By the lanes of b as unsigned numbers; any amount.
    VShlV,
    VShrUV,
    VShrSV,
    /// The carry-less product of lane imm of a and of b; w = 64.
    VClMul,
    /// c + the products of four neighbouring bytes each, in lanes of 32 bits.
    VDotU,
    VDotS,
    /// The bytes of a unsigned, those of b signed.
    VDotUS,
    // Cryptography; pure.
    /// AES: SubBytes and ShiftRows, MixColumns, both; and their inverses.
    AesSub,
    AesInvSub,
    AesMix,
    AesInvMix,
    AesRound,
    AesInvRound,
    /// Four rounds: abcd, e, message words with the constant added; imm selects the function.
    Sha1Rounds,
    /// Four rounds: abcd, efgh, message words with the constants added.
    Sha256Abcd,
    Sha256Efgh,
    Sha256Su0,
    Sha256Su1,
    // Floating point on the low lane; the bits above are those of `a` or 0.
    FpAdd,
    FpSub,
    FpMul,
    FpDiv,
    FpSqrt,
    /// a * b + c with one rounding; imm & 1: a negated, imm & 2: c negated.
    FpFma,
    FpMin,
    FpMax,
    /// Round to integral by mode imm (see `float::round`); imm & 8: raise inexact.
    FpRound,
    /// To the format of imm bits.
    FpCvt,
    /// To an integer of imm & 0x7f bits, rounding mode imm >> 8, signed if imm & 0x80: a general value.
    FpToInt,
    /// From general a; imm = source bits | signed << 7.
    FpFromInt,
    /// Zero for a denormal number under [`float::FLUSH`] (comparisons need it: they have no mode).
    FpFlush,
    // The same on all lanes.
    VFpAdd,
    VFpSub,
    VFpMul,
    VFpDiv,
    VFpSqrt,
    VFpFma,
    /// c + a * b, or c - a * b (imm & 1), with both results rounded.
    VFpMulAdd,
    VFpMin,
    VFpMax,
    VFpRound,
    /// All ones or zero: a == b (imm = 0; quiet NaNs do not signal), a >= b (1), a > b (2).
    VFpCmp,
    /// To and from integers of the lane's width; imm as that of the scalar ones.
    VFpToInt,
    VFpFromInt,
    /// Doubles the width of the lanes of the low half (imm = 0) or the high half (imm = 1).
    VFpWiden,
    /// Halves the width of the lanes, into the low half; the high half is 0. `w` is the wide lane.
    VFpNarrow,
    // Effects.
    /// Guest state: general slot imm, wide slot or part of one imm (see [`layout::Layout`]), flags.
    Get,
    Set,
    GetX,
    SetX,
    GetF,
    SetF,
    /// Memory: address a + (b << shift) + disp (see [`Addr`]); value c.
    Load,
    LoadX,
    Store,
    StoreX,
    /// Stores those lanes (of `w` bits) of c of which general b has the bit; the address is a + disp. `h`: see [`Under`].
    StoreUnder,
    /// Remembers an exclusive load: value of `w` bits.
    LoadEx,
    /// Store c if the exclusive access still stands: 0 or 1 (failed).
    StoreEx,
    /// Exclusive pair of two `w` bits; the result is a wide value.
    LoadExPair,
    /// c is a wide value.
    StoreExPair,
    ClearEx,
    /// Faults unless imm >> 8 & 255 bytes at address a lie within an aligned block of imm >> 16 bytes; imm & 1: for the sake
    /// of a store.
    Aligned,
    /// Stops before an access of `w` bits at address a, a store if h & 1, if it touches the h >> 1 bytes from imm on.
    Watched,
    /// Atomic read-modify-write at address a by value c; imm is a [`Rmw`]. The old value.
    Rmw,
    /// Compare memory at a with b, store c if equal. The old value.
    Cas,
    /// As `Cas` on two `w` bits each; b, c and the result are wide values.
    CasPair,
    /// ORs imm into `State::fpstatus` unless the wide value a is zero.
    Sticky,
    /// Orders earlier stores before later loads.
    Fence,
    /// The accrued floating-point exceptions, in the order that most have ([`float::accrued`]).
    Accrued,
    /// Makes a the accrued exceptions.
    Accrue,
    /// A helper function: a general, a wide result.
    Call,
    CallX,
    /// One that looks at its operand only and changes nothing of the guest, nor computes with floating point: a wide result.
    AskX,
    /// Goes on behind the next `Label` unless condition a holds. In between nothing sets flags.
    Skip,
    Label,
    // Exits; the guest pc is imm unless said otherwise.
    /// Leaves for pc imm if condition a holds.
    Side,
    /// As `Trap`, if condition a holds.
    TrapIf,
    Jump,
    /// A call to imm; b is the constant return address.
    CallTo,
    /// To the pc in a.
    JumpR,
    /// A call to the pc in a; b is the constant return address.
    CallR,
    RetR,
    /// Leaves the translated code: `w` is a [`Trap`], imm the pc to be set, a/b/c nothing; `h` its argument.
    Trap,
}

/// Why translated code stopped for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Trap {
    Syscall,
    Breakpoint,
    Undefined,
    /// The instruction at the pc is for the fallback core.
    Fallback,
    /// State that selects translations changed, or code was invalidated: look the pc up again.
    Resync,
    /// The instruction cache line at `State::trap_addr` is to be forgotten; with an argument that is not 0 all code that has changed.
    Invalidate,
    /// A data address that is not aligned as the instruction demands.
    Align,
    /// A debugger wants to see this instruction before it is executed.
    Stop,
    /// Another exception of the instruction at the pc; the argument is the guest's number for it.
    Exception,
    /// The instruction at the pc is for the interpreter.
    Step,
}

impl Trap {
    /// The trap numbered `n`.
    #[must_use]
    pub fn from_index(n: u8) -> Self {
        const ALL: [Trap; 10] = [
            Trap::Syscall,
            Trap::Breakpoint,
            Trap::Undefined,
            Trap::Fallback,
            Trap::Resync,
            Trap::Invalidate,
            Trap::Align,
            Trap::Stop,
            Trap::Exception,
            Trap::Step,
        ];
        ALL[usize::from(n) % ALL.len()]
    }
}

/// Atomic read-modify-write operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Rmw {
    Add,
    Clear,
    Xor,
    Or,
    MaxS,
    MinS,
    MaxU,
    MinU,
    Swap,
}

impl Rmw {
    /// The operation numbered `n`.
    #[must_use]
    pub fn from_index(n: u64) -> Self {
        [
            Self::Add,
            Self::Clear,
            Self::Xor,
            Self::Or,
            Self::MaxS,
            Self::MinS,
            Self::MaxU,
            Self::MinU,
            Self::Swap,
        ][n as usize % 9]
    }
}

/// The address part of a memory operation, packed into `imm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addr {
    pub disp: i32,
    pub shift: u8,
    /// Loads: 0 zero-extends to 64 bits, 32 and 64 sign-extend to that width.
    pub sx: u8,
    /// The sum is taken modulo 2^32.
    pub wrap: bool,
    /// The value's bytes are in memory with the highest first.
    pub big: bool,
}

impl Addr {
    #[must_use]
    pub fn pack(self) -> u64 {
        u64::from(self.disp as u32)
            | u64::from(self.shift) << 32
            | u64::from(self.sx) << 40
            | u64::from(self.wrap) << 48
            | u64::from(self.big) << 49
    }

    #[must_use]
    pub fn unpack(imm: u64) -> Self {
        Self {
            disp: imm as i32,
            shift: (imm >> 32) as u8,
            sx: (imm >> 40) as u8,
            wrap: imm >> 48 & 1 != 0,
            big: imm >> 49 & 1 != 0,
        }
    }
}

/// Which bits of a predicate are those of a vector's lanes, packed into `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Under {
    /// The bit of the first lane.
    pub first: u8,
    /// Bits from one lane to the next are its bytes shifted left by this: lanes are in the vector (and in memory) closer to
    /// each other than in the registers that the predicate is about.
    pub spread: u8,
}

impl Under {
    #[must_use]
    pub fn pack(self) -> u32 {
        u32::from(self.first) | u32::from(self.spread) << 8
    }

    #[must_use]
    pub fn unpack(h: u32) -> Self {
        Self {
            first: h as u8,
            spread: (h >> 8) as u8,
        }
    }

    /// The lanes of `w` bits: how many there are, and the distance of their bits.
    #[must_use]
    pub fn lanes(self, w: u8) -> (u32, u32) {
        let step = u32::from(w / 8) << self.spread;
        (16 / step, step)
    }
}

/// One instruction.
#[derive(Clone, Copy, Debug)]
pub struct Inst {
    pub op: Op,
    pub w: u8,
    /// The guest instruction it belongs to, counted from the block's start.
    pub insn: u16,
    /// Helper index, or an argument of a trap (24 bits), or what [`Op::Watched`] says. Atomic operations: 1 if the value's bytes are in memory with
    /// the highest first. [`Op::Load`] and [`Op::LoadX`]: 1 if the instruction may not access all that is loaded.
    pub h: u32,
    pub a: Val,
    pub b: Val,
    pub c: Val,
    pub imm: u64,
}

/// What kind of value an operation makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    None,
    General,
    Wide,
    Flags,
}

/// A translation unit.
#[derive(Default)]
pub struct Block {
    pub insts: Vec<Inst>,
    /// The guest pc of each guest instruction.
    pub pcs: Vec<u64>,
    /// Where the last guest instruction ends.
    pub end: u64,
    pub wide: Vec<u128>,
    pub helpers: Vec<Helper>,
    /// Memory of the builder, for the next one.
    known: skip::Known,
}

impl Block {
    /// Makes it empty; its memory stays.
    pub fn clear(&mut self) {
        self.insts.clear();
        self.pcs.clear();
        self.end = 0;
        self.wide.clear();
        self.helpers.clear();
    }

    /// Readable text, for `-d op`.
    #[must_use]
    pub fn dump(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        let mut insn = u16::MAX;
        let name = |v: Val| {
            if v == NONE {
                String::new()
            } else {
                format!(" %{v}")
            }
        };
        for (i, x) in self.insts.iter().enumerate() {
            if x.insn != insn {
                insn = x.insn;
                let _ = writeln!(out, " ---- {:#x}", self.pcs[usize::from(insn)]);
            }
            let dst = if x.op.kind() == Kind::None {
                String::new()
            } else {
                format!("%{i} = ")
            };
            let _ = writeln!(
                out,
                "  {dst}{:?}.{}{}{}{} {:#x}",
                x.op,
                x.w,
                name(x.a),
                name(x.b),
                name(x.c),
                x.imm
            );
        }
        out
    }
}
