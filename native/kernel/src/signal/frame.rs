//! Signal frames: what all guests share. The layouts are the guests' ([`crate::linux`]).

use super::{Action, AltStack, FaultInfo};
use crate::abi::GuestAbi;
use crate::memory::{AddressSpace, Efault};
use crate::thunk::convert::{get_int, put_int};

/// What a frame is made from.
pub struct FrameContext<'a> {
    /// The guest's number.
    pub signal: i32,
    pub action: &'a Action,
    /// siginfo_t in the guest's layout.
    pub info: &'a [u8],
    pub fault: Option<&'a FaultInfo>,
    /// The mask that sigreturn puts back, by the guest's numbers.
    pub mask: u64,
    pub altstack: AltStack,
    pub on_stack: bool,
    /// The page with [`crate::linux::LinuxAbi::trampoline`].
    pub trampoline: u64,
}

/// What sigreturn found in a frame, but for registers and mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// rt frames only.
    pub altstack: Option<AltStack>,
}

/// Where the flags of a stack_t are, and its size, in words.
#[must_use]
pub const fn stack_fields(flags_last: bool) -> [usize; 2] {
    if flags_last { [2, 1] } else { [1, 2] }
}

/// A frame's bytes under construction, or read back.
pub struct Bytes {
    pub bytes: Vec<u8>,
    big_endian: bool,
}

impl Bytes {
    pub fn new(size: usize, abi: GuestAbi) -> Self {
        Self {
            bytes: vec![0; size],
            big_endian: abi.big_endian,
        }
    }

    pub fn read(space: &AddressSpace, at: u64, size: usize, abi: GuestAbi) -> Result<Self, Efault> {
        let mut bytes = Self::new(size, abi);
        space.read(at, &mut bytes.bytes)?;
        Ok(bytes)
    }

    pub fn put(&mut self, at: usize, size: usize, value: u64) {
        put_int(&mut self.bytes[at..at + size], self.big_endian, value);
    }

    pub fn get(&self, at: usize, size: usize) -> u64 {
        get_int(&self.bytes[at..at + size], self.big_endian, false)
    }

    /// A 128-bit vector register, as the ISA's STR Q stores it.
    pub fn put_wide(&mut self, at: usize, value: u128) {
        let bytes = if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.bytes[at..at + 16].copy_from_slice(&bytes);
    }

    pub fn get_wide(&self, at: usize) -> u128 {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.bytes[at..at + 16]);
        if self.big_endian {
            u128::from_be_bytes(bytes)
        } else {
            u128::from_le_bytes(bytes)
        }
    }

    /// stack_t: sp, flags, size; or the size before the flags.
    pub fn put_altstack(
        &mut self,
        at: usize,
        word: usize,
        context: &FrameContext<'_>,
        flags_last: bool,
    ) {
        let [flags_at, size_at] = stack_fields(flags_last).map(|place| at + place * word);
        let stack = context.altstack;
        let flags = if stack.flags & libc::SS_DISABLE != 0 {
            libc::SS_DISABLE
        } else if context.on_stack {
            stack.flags | libc::SS_ONSTACK
        } else {
            stack.flags
        };
        self.put(at, word, stack.sp);
        self.put(flags_at, 4, flags as u64);
        self.put(size_at, word, stack.size);
    }

    pub fn get_altstack(&self, at: usize, word: usize, flags_last: bool) -> AltStack {
        let [flags_at, size_at] = stack_fields(flags_last).map(|place| at + place * word);
        AltStack {
            sp: self.get(at, word),
            flags: self.get(flags_at, 4) as i32 & !libc::SS_ONSTACK,
            size: self.get(size_at, word),
        }
    }

    /// The first 64 signals, as one word or two.
    pub fn put_mask(&mut self, at: usize, word: usize, mask: u64) {
        if word == 8 {
            self.put(at, 8, mask);
        } else {
            self.put(at, 4, mask);
            self.put(at + 4, 4, mask >> 32);
        }
    }

    pub fn get_mask(&self, at: usize, word: usize) -> u64 {
        if word == 8 {
            self.get(at, 8)
        } else {
            self.get(at, 4) | self.get(at + 4, 4) << 32
        }
    }
}
