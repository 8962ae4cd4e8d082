//! The state of a guest's processor. What a host's code generator has besides is its own (`host::Cpu`).

use super::flags::Model;
use super::interp::{Fault, Mem};
use super::layout::Layout;
use std::ops::{Deref, DerefMut};

/// A function that translated code calls for an operation it has no code for:
/// three operands and an immediate. It must not touch guest memory.
pub type Helper = fn(&mut State, u128, u128, u128, u64) -> u128;

/// Why an instruction that is executed [outside](super::sem::Sem::outside) is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Fault(Fault),
    Undefined,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// An instruction that accesses guest memory by itself: whatever it has done when it faults stays.
pub type Outside = fn(&mut State, &mut dyn Mem, u64) -> Result<(), Refused>;

/// What all guests have, beside their registers.
#[repr(C, align(64))]
pub struct Head {
    /// What the guest's registers and its flags are.
    layout: Layout,
    model: Option<&'static Model>,
    /// Non-zero: leave the translated code at the next check.
    pub interrupt: std::sync::atomic::AtomicU32,
    /// Rounding mode and sticky exception flags, in the layout of x86's MXCSR.
    pub fpenv: u32,
    /// What MXCSR has not: modes and sticky flags above its bits (`float::MODES`, `float::INPUT_DENORMAL`).
    pub fpext: u32,
    /// Where translated code stopped.
    pub pc: u64,
    /// The monitor of exclusive accesses: address (or `u64::MAX`), size, value.
    pub ex_addr: u64,
    pub ex_size: u64,
    pub ex_value: u128,
    /// What N and Z, and what C is of instead, if the high half of `flags` says so (`flags::parts`).
    pub over: [u64; 2],
    /// Guest-defined word outside the register file (Arm: FPSR bits that have no host twin).
    pub fpstatus: u64,
    /// Not 0: the guest looks at its sticky exception flags, so all of them have to be exact.
    pub exact_status: u64,
    /// Argument of some traps.
    pub trap_addr: u64,
    /// Guest instructions completed, in translations that count.
    pub executed: u64,
    /// Moves what is written at most exits to the end, next to the registers: a host reaches both with short displacements.
    room: [u64; 3],
    /// The guest's condition flags, packed (`ir::flags`); in the high half a [record](super::flags::Model::pack) of
    /// operation that makes them, or 0.
    pub flags: u64,
    /// Operands of the operation in the high half of `flags`.
    pub compared: [u128; 2],
}

/// The state of one guest CPU: the header, and the register area that the guest's [`Layout`] sizes.
#[repr(C, align(64))]
pub struct State {
    head: Head,
    regs: [u128],
}

impl Deref for State {
    type Target = Head;
    fn deref(&self) -> &Head {
        &self.head
    }
}

impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut Head {
        &mut self.head
    }
}

/// A zeroed value on the heap that begins with `sized` bytes (a multiple of 64), behind which is a register area; the
/// pointer to the latter's words is what `whole` makes a pointer to all of it from.
///
/// # Safety
/// The value is one whose bytes may be 0, of which `whole` keeps the address and the number of words, aligned to 64 bytes.
pub unsafe fn zeroed<T: ?Sized>(
    sized: usize,
    layout: Layout,
    whole: impl FnOnce(*mut [u128]) -> *mut T,
) -> Box<T> {
    let Ok(memory) = std::alloc::Layout::from_size_align(sized + layout.size(), 64) else {
        unreachable!("64 is a power of two");
    };
    // SAFETY: not of no bytes; as the caller promises.
    unsafe {
        let p = std::alloc::alloc_zeroed(memory);
        if p.is_null() {
            std::alloc::handle_alloc_error(memory);
        }
        let area = std::ptr::slice_from_raw_parts_mut(p.cast::<u128>(), layout.size() / 16);
        Box::from_raw(whole(area))
    }
}

impl State {
    /// The state of a processor of which nothing is known yet.
    #[must_use]
    pub fn new(layout: Layout, flags: &'static Model) -> Box<Self> {
        // SAFETY: all fields are integers (or an atomic one), and the area is the last one.
        let mut s = unsafe { zeroed(size_of::<Head>(), layout, |area| area as *mut Self) };
        s.begin(layout, flags);
        s
    }

    /// Makes zeroed memory, whose register area has the size for it, a state.
    pub fn begin(&mut self, layout: Layout, flags: &'static Model) {
        assert_eq!(self.regs.len() * 16, layout.size());
        self.head.layout = layout;
        self.head.model = Some(flags);
        self.ex_addr = u64::MAX;
        self.fpenv = super::float::DEFAULT_ENV;
    }

    /// Where the word is that is not 0 if translated code is to leave.
    ///
    /// # Safety
    /// `state` is one; nothing of it is read.
    pub unsafe fn interrupt_word(state: *const Self) -> *const std::sync::atomic::AtomicU32 {
        // SAFETY: only an address is formed.
        unsafe { &raw const (*state).head.interrupt }
    }

    /// The flags that an operation makes, if the guest has others than are common to all.
    #[must_use]
    pub fn flags_of(&self, op: super::Op, w: u8, a: u128, b: u128, env: u32) -> Option<u64> {
        let model = self.head.model.filter(|m| !m.is_common())?;
        if op == super::Op::FPack {
            return Some(a as u64 & model.mask);
        }
        model.of(op, w, a, b, env)
    }

    #[must_use]
    pub fn layout(&self) -> Layout {
        self.head.layout
    }

    /// The general slots.
    #[must_use]
    pub fn r(&self) -> &[u64] {
        let count = usize::from(self.head.layout.general);
        // SAFETY: they are at the area's start, which is that long.
        unsafe { std::slice::from_raw_parts(self.regs.as_ptr().cast(), count) }
    }

    #[must_use]
    pub fn r_mut(&mut self) -> &mut [u64] {
        let count = usize::from(self.head.layout.general);
        // SAFETY: as in `r`.
        unsafe { std::slice::from_raw_parts_mut(self.regs.as_mut_ptr().cast(), count) }
    }

    /// The pieces of the wide slots.
    #[must_use]
    pub fn v(&self) -> &[u128] {
        let l = self.head.layout;
        &self.regs[l.wide_offset() / 16..][..l.wholes()]
    }

    #[must_use]
    pub fn v_mut(&mut self) -> &mut [u128] {
        let l = self.head.layout;
        &mut self.regs[l.wide_offset() / 16..][..l.wholes()]
    }

    /// The bytes of the pieces from the `first` one on, in the order of memory.
    #[must_use]
    pub fn bytes_mut(&mut self, first: usize) -> &mut [u8] {
        let pieces = &mut self.v_mut()[first..];
        // SAFETY: integers are as many bytes.
        unsafe { std::slice::from_raw_parts_mut(pieces.as_mut_ptr().cast(), 16 * pieces.len()) }
    }

    #[must_use]
    pub fn bytes(&self, first: usize) -> &[u8] {
        let pieces = &self.v()[first..];
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(pieces.as_ptr().cast(), 16 * pieces.len()) }
    }

    /// What each way into the kernel does to exclusive accesses: a handler may have changed memory and changed
    /// it back, which the value would not tell.
    pub fn lose_monitor(&mut self) {
        self.ex_addr = u64::MAX;
    }

    /// The value of a wide slot or of a part of one.
    #[must_use]
    pub fn wide(&self, n: usize) -> u128 {
        let (at, w) = self.head.layout.unit(n);
        if w == 128 {
            return self.v()[n];
        }
        self.v()[at / 16] >> (8 * (at % 16)) & ((1 << w) - 1)
    }

    /// Sets it; the rest of the slot stays.
    pub fn set_wide(&mut self, n: usize, value: u128) {
        let (at, w) = self.head.layout.unit(n);
        if w == 128 {
            self.v_mut()[n] = value;
            return;
        }
        let (shift, mask) = (8 * (at % 16), (1 << w) - 1);
        let slot = &mut self.v_mut()[at / 16];
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

    /// Works out condition flags that were deferred. All slots have to be up to date.
    pub fn settle_flags(&mut self) {
        let code = (self.flags >> 32) as u32;
        if code == 0 {
            return;
        }
        let model = self.head.model;
        if let Some(named) = super::flags::Named::unpack(code)
            && let Some(model) = model
        {
            self.flags = named.settle(model, self.r());
            return;
        }
        let known = self.flags & u64::from(u32::MAX);
        let record = model.and_then(|m| m.settle(code, self.compared, self.env()));
        let f = record.unwrap_or(known);
        self.flags = super::flags::part_of_code(f, code, self.over);
    }

    /// Copies the guest-visible state.
    pub fn copy_guest(&mut self, from: &Self) {
        self.regs.copy_from_slice(&from.regs);
        self.flags = from.flags;
        self.fpenv = from.fpenv;
        self.fpext = from.fpext;
        self.pc = from.pc;
        self.ex_addr = from.ex_addr;
        self.ex_size = from.ex_size;
        self.ex_value = from.ex_value;
        self.fpstatus = from.fpstatus;
        self.exact_status = from.exact_status;
        self.executed = from.executed;
    }
}
