//! What each operation is, by table: code that walks over blocks asks this of all of them, and a
//! chain of comparisons would be predicted badly.

use super::{Kind, Op};

/// Properties of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Class(u16);

const GENERAL: u16 = 1;
const WIDE: u16 = 2;
const FLAGS: u16 = 3;
const KIND: u16 = 3;
const PURE: u16 = 1 << 2;
const FAULTS: u16 = 1 << 3;
const EXIT: u16 = 1 << 4;
const DIRECT: u16 = 1 << 5;
const FLOAT: u16 = 1 << 6;
const AGAIN: u16 = 1 << 7;
const LOGIC: u16 = 1 << 8;
const NO_CODE: u16 = 1 << 9;
const SLOT: u16 = 1 << 10;
const SETTER: u16 = 1 << 11;
const CALL: u16 = 1 << 12;

const fn any(n: u8, ops: &[Op]) -> bool {
    let mut i = 0;
    while i < ops.len() {
        if ops[i] as u8 == n {
            return true;
        }
        i += 1;
    }
    false
}

const fn class(n: u8) -> u16 {
    use Op::*;
    let mut c = if any(
        n,
        &[FAdd, FSub, FLogic, FAdc, FPack, FSelect, FFcmp, FPart, GetF],
    ) {
        FLAGS
    } else if any(
        n,
        &[
            VGet,
            VMask,
            FpToInt,
            Pack,
            Cc,
            Get,
            Load,
            LoadEx,
            StoreEx,
            StoreExPair,
            Rmw,
            Cas,
            Accrued,
            Call,
        ],
    ) {
        GENERAL
    } else if any(n, &[GetX, LoadX, LoadExPair, CasPair, CallX, AskX]) {
        WIDE
    } else if n > Get as u8 {
        0
    } else if n < FAdd as u8 {
        GENERAL
    } else {
        WIDE
    };
    if n < Get as u8 || any(n, &[Get, GetX, GetF]) {
        c |= PURE;
    }
    if any(
        n,
        &[
            Load,
            LoadX,
            Store,
            StoreX,
            StoreUnder,
            Aligned,
            Watched,
            LoadEx,
            StoreEx,
            LoadExPair,
            StoreExPair,
            Rmw,
            Cas,
            CasPair,
        ],
    ) {
        c |= FAULTS;
    }
    if n >= Side as u8 {
        c |= EXIT;
    }
    if any(n, &[Side, Jump, CallTo]) {
        c |= DIRECT;
    }
    if n == FFcmp as u8 || (n >= FpAdd as u8 && n < Get as u8) {
        c |= FLOAT;
    }
    if any(n, &[FAdd, FSub, FLogic, FPack, FFcmp, FPart, Cc]) {
        c |= AGAIN;
    }
    if any(n, &[And, Or, Xor]) {
        c |= LOGIC;
    }
    if any(n, &[Const, Cc, FAdd, FSub, FLogic, FPack, FPart, SetF]) {
        c |= NO_CODE;
    }
    if any(n, &[Get, GetX, Set, SetX]) {
        c |= SLOT;
    }
    if any(n, &[Set, SetX]) {
        c |= SETTER;
    }
    if any(n, &[Call, CallX, AskX]) {
        c |= CALL;
    }
    c
}

static CLASSES: [u16; 256] = {
    let mut all = [0; 256];
    let mut n = 0;
    while n < 256 {
        all[n] = class(n as u8);
        n += 1;
    }
    all
};

impl Op {
    #[must_use]
    #[inline]
    pub fn class(self) -> Class {
        Class(CLASSES[self as usize])
    }

    /// The kind of the result.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.class().0 & KIND {
            GENERAL => Kind::General,
            WIDE => Kind::Wide,
            FLAGS => Kind::Flags,
            _ => Kind::None,
        }
    }

    /// May be dropped when its value is not used.
    #[must_use]
    pub fn is_pure(self) -> bool {
        self.class().has(PURE)
    }

    /// Reads or writes guest memory, so that it can fault.
    #[must_use]
    pub fn can_fault(self) -> bool {
        self.class().has(FAULTS)
    }

    /// The operation that gives flags and has this number.
    #[must_use]
    pub fn of_flags(number: u8) -> Option<Self> {
        use Op::{FAdc, FAdd, FFcmp, FLogic, FPack, FSelect, FSub, GetF};
        [FAdd, FSub, FLogic, FAdc, FPack, FSelect, FFcmp, GetF]
            .into_iter()
            .find(|op| *op as u8 == number)
    }

    /// Floating point: reads and updates the environment.
    #[must_use]
    pub fn is_float(self) -> bool {
        self.class().has(FLOAT)
    }

    /// Leaves the block, perhaps.
    #[must_use]
    pub fn is_exit(self) -> bool {
        self >= Op::Side
    }
}

impl Class {
    #[inline]
    fn has(self, bits: u16) -> bool {
        self.0 & bits != 0
    }

    /// Worth nothing when its value is not used. Sticky exception flags make floating point worth doing.
    #[must_use]
    #[inline]
    pub fn is_for_its_value(self) -> bool {
        self.0 & (PURE | FLOAT) == PURE
    }

    /// Can leave the block in its midst, or look at the state.
    #[must_use]
    #[inline]
    pub fn is_seen(self) -> bool {
        self.has(FAULTS | EXIT | CALL)
    }

    /// Calls a helper.
    #[must_use]
    #[inline]
    pub fn is_call(self) -> bool {
        self.has(CALL)
    }

    /// An exit, or an access that can fault.
    #[must_use]
    #[inline]
    pub fn can_leave(self) -> bool {
        self.has(FAULTS | EXIT)
    }

    /// An exit to a known pc.
    #[must_use]
    #[inline]
    pub fn is_direct(self) -> bool {
        self.has(DIRECT)
    }

    /// Flags and conditions are computed again wherever they are used. `w`: the operation's width.
    #[must_use]
    #[inline]
    pub fn is_done_again(self, w: u8) -> bool {
        self.has(AGAIN) | (self.has(LOGIC) & (w == 8))
    }

    /// There is never code for it where it stands.
    #[must_use]
    #[inline]
    pub fn has_no_code(self, w: u8) -> bool {
        self.has(NO_CODE) | (self.has(LOGIC) & (w == 8))
    }

    /// Reads or sets a slot, and whether it sets it.
    #[must_use]
    #[inline]
    pub fn slot(self) -> Option<bool> {
        self.has(SLOT).then(|| self.has(SETTER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_some_operations() {
        let all = [
            (Op::Const, Kind::General),
            (Op::Select, Kind::General),
            (Op::FAdd, Kind::Flags),
            (Op::Cc, Kind::General),
            (Op::VDotUS, Kind::Wide),
            (Op::VGet, Kind::General),
            (Op::VMask, Kind::General),
            (Op::FpToInt, Kind::General),
            (Op::VFpNarrow, Kind::Wide),
            (Op::Get, Kind::General),
            (Op::Set, Kind::None),
            (Op::GetX, Kind::Wide),
            (Op::GetF, Kind::Flags),
            (Op::Store, Kind::None),
            (Op::CasPair, Kind::Wide),
            (Op::Fence, Kind::None),
            (Op::Trap, Kind::None),
        ];
        for (op, kind) in all {
            assert_eq!(op.kind(), kind, "{op:?}");
        }
        assert!(Op::VFpNarrow.is_float() && !Op::VDotUS.is_float() && Op::FFcmp.is_float());
        assert!(Op::Cas.can_fault() && !Op::Fence.can_fault());
        assert!(Op::GetF.is_pure() && !Op::SetF.is_pure() && Op::VFpNarrow.is_pure());
    }
}
