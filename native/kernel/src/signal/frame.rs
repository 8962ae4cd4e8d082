//! Signal frames: what both ISAs share. The layouts are in the submodules.

mod aarch64;
mod arm;

use super::{Action, AltStack, FaultInfo};
use crate::abi::GuestAbi;
use crate::cpu::CpuCore;
use crate::memory::{AddressSpace, Efault};
use crate::thunk::convert::{get_int, put_int};

/// Whose frames a guest has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    Aarch64,
    /// `be8`: data is big-endian while code is not, so handlers run with CPSR.E set.
    Arm {
        be8: bool,
    },
}

impl FrameKind {
    /// The kind that Python calls so.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "aarch64" => Some(Self::Aarch64),
            "arm" => Some(Self::Arm { be8: false }),
            "arm-be8" => Some(Self::Arm { be8: true }),
            _ => None,
        }
    }
}

/// Addresses of the code that calls sigreturn, where the guest gave no restorer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trampolines {
    /// rt_sigreturn; on arm the A32 one.
    pub rt: u64,
    /// arm only: sigreturn in A32, then both in T32.
    pub plain: u64,
    pub thumb_rt: u64,
    pub thumb_plain: u64,
}

/// What a frame is made from.
pub struct FrameContext<'a> {
    pub signal: i32,
    pub action: &'a Action,
    /// siginfo_t in the guest's layout.
    pub info: &'a [u8],
    pub fault: Option<&'a FaultInfo>,
    /// The mask that sigreturn puts back.
    pub mask: u64,
    pub altstack: AltStack,
    pub on_stack: bool,
    pub abi: GuestAbi,
    pub trampolines: Trampolines,
}

/// What sigreturn found in a frame, but for registers and mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// rt frames only.
    pub altstack: Option<AltStack>,
}

/// The stack pointer's register number.
#[must_use]
pub fn sp_register(kind: FrameKind) -> u32 {
    match kind {
        FrameKind::Aarch64 => aarch64::SP,
        FrameKind::Arm { .. } => arm::SP,
    }
}

/// Entry points by ISA.
pub struct Frame;

impl Frame {
    /// Writes the frame below `top` and makes the core start the handler.
    pub fn push(
        kind: FrameKind,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        top: u64,
        context: &FrameContext<'_>,
    ) -> Result<(), Efault> {
        match kind {
            FrameKind::Aarch64 => aarch64::push(core, space, top, context),
            FrameKind::Arm { be8 } => arm::push(core, space, top, context, be8),
        }
    }

    /// The mask in the frame at the stack pointer.
    pub fn mask(
        kind: FrameKind,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        abi: GuestAbi,
        rt: bool,
    ) -> Result<u64, Efault> {
        let (offset, word) = match kind {
            FrameKind::Aarch64 => (aarch64::UC_SIGMASK, 8),
            FrameKind::Arm { .. } => (arm::mask_at(rt), 4),
        };
        let at = core.get(sp_register(kind)).wrapping_add(offset as u64);
        Ok(Bytes::read(space, at, 8, abi)?.get_mask(0, word))
    }

    /// Takes the registers back from the frame at the stack pointer. Err: the frame is
    /// bad, and the guest gets SIGSEGV.
    pub fn pop(
        kind: FrameKind,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        abi: GuestAbi,
        rt: bool,
    ) -> Result<Restored, Efault> {
        match kind {
            FrameKind::Aarch64 => aarch64::pop(core, space, abi),
            FrameKind::Arm { be8 } => arm::pop(core, space, abi, rt, be8),
        }
    }
}

/// A frame's bytes under construction, or read back.
struct Bytes {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Bytes {
    fn new(size: usize, abi: GuestAbi) -> Self {
        Self {
            bytes: vec![0; size],
            big_endian: abi.big_endian,
        }
    }

    fn read(space: &AddressSpace, at: u64, size: usize, abi: GuestAbi) -> Result<Self, Efault> {
        let mut bytes = Self::new(size, abi);
        space.read(at, &mut bytes.bytes)?;
        Ok(bytes)
    }

    fn put(&mut self, at: usize, size: usize, value: u64) {
        put_int(&mut self.bytes[at..at + size], self.big_endian, value);
    }

    fn get(&self, at: usize, size: usize) -> u64 {
        get_int(&self.bytes[at..at + size], self.big_endian, false)
    }

    /// A 128-bit vector register, as the ISA's STR Q stores it.
    fn put_wide(&mut self, at: usize, value: u128) {
        let bytes = if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.bytes[at..at + 16].copy_from_slice(&bytes);
    }

    fn get_wide(&self, at: usize) -> u128 {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.bytes[at..at + 16]);
        if self.big_endian {
            u128::from_be_bytes(bytes)
        } else {
            u128::from_le_bytes(bytes)
        }
    }

    /// stack_t: sp, flags, size.
    fn put_altstack(&mut self, at: usize, word: usize, context: &FrameContext<'_>) {
        let stack = context.altstack;
        let flags = if stack.flags & libc::SS_DISABLE != 0 {
            libc::SS_DISABLE
        } else if context.on_stack {
            stack.flags | libc::SS_ONSTACK
        } else {
            stack.flags
        };
        self.put(at, word, stack.sp);
        self.put(at + word, 4, flags as u64);
        self.put(at + 2 * word, word, stack.size);
    }

    fn get_altstack(&self, at: usize, word: usize) -> AltStack {
        AltStack {
            sp: self.get(at, word),
            flags: self.get(at + word, 4) as i32 & !libc::SS_ONSTACK,
            size: self.get(at + 2 * word, word),
        }
    }

    /// The first 64 signals, as one word or two.
    fn put_mask(&mut self, at: usize, word: usize, mask: u64) {
        if word == 8 {
            self.put(at, 8, mask);
        } else {
            self.put(at, 4, mask);
            self.put(at + 4, 4, mask >> 32);
        }
    }

    fn get_mask(&self, at: usize, word: usize) -> u64 {
        if word == 8 {
            self.get(at, 8)
        } else {
            self.get(at, 4) | self.get(at + 4, 4) << 32
        }
    }
}
