//! What translated code works on: the guest's registers and the run-time's own
//! fields, at fixed offsets from one host register.

/// General slots (the guest decides what they are; see its `slots`).
pub const SLOTS: usize = 64;
/// Wide slots.
pub const WIDE: usize = 33;
/// How many wide slots can be addressed by halves of 64 bits, and by quarters of 32.
const HALVED: usize = 16;
const QUARTERED: usize = 8;
/// Wide slots and their parts: what `GetX` and `SetX` number. A part is a register of its own that shares its
/// bits with the slot (Arm's D and S registers with Q registers).
pub const UNITS: usize = WIDE + 2 * HALVED + 4 * QUARTERED;

/// The unit that is the `n`-th half (64 bits) or quarter (32) of the wide slots, counted over all of them.
#[must_use]
pub const fn part(w: u8, n: u16) -> u16 {
    if w == 64 {
        assert!(n < 2 * HALVED as u16);
        WIDE as u16 + n
    } else {
        assert!(n < 4 * QUARTERED as u16);
        (WIDE + 2 * HALVED) as u16 + n
    }
}

/// Where a unit lies: the offset in bytes from the first wide slot's start, and its width in bits.
#[must_use]
pub const fn unit(n: usize) -> (usize, u8) {
    if n < WIDE {
        (16 * n, 128)
    } else if n < WIDE + 2 * HALVED {
        (8 * (n - WIDE), 64)
    } else {
        (4 * (n - WIDE - 2 * HALVED), 32)
    }
}

/// The unit is part of a slot.
#[must_use]
pub const fn is_part(n: usize) -> bool {
    n >= WIDE
}

/// Two units share bits.
#[must_use]
pub fn overlap(a: usize, b: usize) -> bool {
    let ((x, w), (y, v)) = (unit(a), unit(b));
    x < y + usize::from(v / 8) && y < x + usize::from(w / 8)
}
/// Temporaries that the code generator may spill.
pub const SPILLS: usize = 64;

/// Counters of loops, shared by those whose addresses collide.
pub const HEAT: usize = 256;

/// A function that translated code calls for an operation it has no code for:
/// three operands and an immediate. It must not touch guest memory.
pub type Helper = fn(&mut State, u128, u128, u128, u64) -> u128;

/// The state of one guest CPU.
#[repr(C, align(64))]
pub struct State {
    /// General guest registers.
    pub r: [u64; SLOTS],
    /// The guest's condition flags, packed (`ir::flags`); in the high half a [`deferred`](super::flags::Deferred)
    /// operation that makes them, or 0.
    pub flags: u64,
    /// Non-zero: leave the translated code at the next check.
    pub interrupt: std::sync::atomic::AtomicU32,
    /// Rounding mode and sticky exception flags, in the layout of x86's MXCSR.
    pub fpenv: u32,
    /// What MXCSR has not: modes and sticky flags above its bits (`float::MODES`, `float::INPUT_DENORMAL`).
    pub fpext: u32,
    /// Where translated code stopped.
    pub pc: u64,
    /// Wide guest registers.
    pub v: [u128; WIDE],
    /// The monitor of exclusive accesses: address (or `u64::MAX`), size, value.
    pub ex_addr: u64,
    pub ex_size: u64,
    pub ex_value: u128,
    /// Operands of the operation in the high half of `flags`.
    pub compared: [u128; 2],
    /// What N and Z, and what C is of instead, if the high half of `flags` says so (`flags::Deferred::parts`).
    pub over: [u64; 2],
    /// Operands and result of a helper.
    pub args: [u128; 3],
    pub spill: [u128; SPILLS],
    /// Guest-defined word outside the register file (Arm: FPSR bits that have no host twin).
    pub fpstatus: u64,
    /// Not 0: the guest looks at its sticky exception flags, so all of them have to be exact.
    pub exact_status: u64,
    /// Argument of some traps.
    pub trap_addr: u64,
    /// Host registers around a helper or at a fault, by their numbers.
    pub raw: [u64; 16],
    pub raw_x: [u128; 16],
    /// Counted down by loops: what reaches 0 is worth a better translation.
    pub heat: [u32; HEAT],
    /// Host code generator: see `host`.
    pub host: [u64; 56],
}

impl State {
    /// A zeroed state on the heap.
    #[must_use]
    pub fn new() -> Box<Self> {
        let layout = std::alloc::Layout::new::<Self>();
        // SAFETY: all fields are integers (or an atomic one), valid when zero.
        let mut s: Box<Self> = unsafe {
            let p = std::alloc::alloc_zeroed(layout);
            if p.is_null() {
                std::alloc::handle_alloc_error(layout);
            }
            Box::from_raw(p.cast())
        };
        s.ex_addr = u64::MAX;
        s.fpenv = super::float::DEFAULT_ENV;
        s
    }

    /// What each way into the kernel does to exclusive accesses: a handler may have changed memory and changed
    /// it back, which the value would not tell.
    pub fn lose_monitor(&mut self) {
        self.ex_addr = u64::MAX;
    }

    /// The value of a wide slot or of a part of one.
    #[must_use]
    pub fn wide(&self, n: usize) -> u128 {
        let (at, w) = unit(n);
        if w == 128 {
            return self.v[n];
        }
        self.v[at / 16] >> (8 * (at % 16)) & ((1 << w) - 1)
    }

    /// Sets it; the rest of the slot stays.
    pub fn set_wide(&mut self, n: usize, value: u128) {
        let (at, w) = unit(n);
        if w == 128 {
            self.v[n] = value;
            return;
        }
        let (shift, mask) = (8 * (at % 16), (1 << w) - 1);
        let slot = &mut self.v[at / 16];
        *slot = (*slot & !(mask << shift)) | (value & mask) << shift;
    }

    /// The whole floating-point environment, as `float` takes it.
    #[must_use]
    pub fn env(&self) -> u32 {
        self.fpenv | self.fpext
    }

    pub fn set_env(&mut self, env: u32) {
        self.fpenv = env & super::float::HOST_BITS;
        self.fpext = env & !super::float::HOST_BITS;
    }

    /// Works out condition flags that were deferred.
    pub fn settle_flags(&mut self) {
        let code = (self.flags >> 32) as u32;
        if code == 0 {
            return;
        }
        let mut f = self.flags & super::flags::MASK;
        if let Some(d) = super::flags::Deferred::unpack(code) {
            let [a, b] = self.compared;
            f = d.flags(self.env(), a, b);
        }
        self.flags = super::flags::part_of_code(f, code, self.over);
    }

    /// Copies the guest-visible state.
    pub fn copy_guest(&mut self, from: &Self) {
        self.r = from.r;
        self.flags = from.flags;
        self.fpenv = from.fpenv;
        self.fpext = from.fpext;
        self.pc = from.pc;
        self.v = from.v;
        self.ex_addr = from.ex_addr;
        self.ex_size = from.ex_size;
        self.ex_value = from.ex_value;
        self.fpstatus = from.fpstatus;
        self.exact_status = from.exact_status;
    }
}
