//! An engine and its registers, as guests see them ([`crate::Guest`]).

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};

use crate::cpu::Exit;
use crate::ffi::{self, Api};
use crate::guest::{UcReg, Width};
use crate::memory::AddressSpace;

/// What the library reads or writes for one id: no register and no record of one is longer.
#[repr(C, align(16))]
#[derive(Clone, Copy)]
pub struct Block(pub [u8; 64]);

impl Block {
    #[must_use]
    pub fn u32_at(&self, at: usize) -> u32 {
        u32::from_ne_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    #[must_use]
    pub fn u64_at(&self, at: usize) -> u64 {
        u64::from_ne_bytes(self.0[at..at + 8].try_into().expect("eight bytes"))
    }

    pub fn put_u32(&mut self, at: usize, value: u32) {
        self.0[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }

    pub fn put_u64(&mut self, at: usize, value: u64) {
        self.0[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
}

impl Default for Block {
    fn default() -> Self {
        Self([0; 64])
    }
}

/// Memory that a library may store into and nobody reads.
#[repr(C, align(4096))]
pub struct Scratch(UnsafeCell<[u8; 8192]>);

// SAFETY: only the library's stores go there, of whatever thread.
unsafe impl Sync for Scratch {}

impl Scratch {
    #[must_use]
    pub const fn new() -> Self {
        Self(UnsafeCell::new([0; 8192]))
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// An open engine.
#[derive(Clone, Copy)]
pub struct Engine<'a> {
    api: &'a Api,
    engine: *mut ffi::Engine,
}

impl<'a> Engine<'a> {
    /// # Safety
    /// `engine` is open as long as this is used, and only the calling thread uses it.
    pub(crate) unsafe fn new(api: &'a Api, engine: *mut ffi::Engine) -> Self {
        Self { api, engine }
    }

    /// Reads what has this id; in records, fields of `block` say what.
    pub fn read_block(self, what: &str, id: c_int, block: &mut Block) -> Result<(), String> {
        let to = (&raw mut *block).cast::<c_void>();
        // SAFETY: by `new`, and nothing with an id is longer than a block.
        let error = unsafe { (self.api.reg_read)(self.engine, id, to) };
        self.api.check(what, error)
    }

    /// Writes what has this id.
    pub fn write_block(self, what: &str, id: c_int, block: &Block) -> Result<(), String> {
        let from = (&raw const *block).cast::<c_void>();
        // SAFETY: as in `read_block`.
        let error = unsafe { (self.api.reg_write)(self.engine, id, from) };
        self.api.check(what, error)
    }

    /// A register's value; 0 for one that there is not.
    #[must_use]
    pub fn read(self, reg: UcReg) -> u128 {
        let mut value = [0u64; 8];
        // SAFETY: as in `read_block`; the buffer is as long.
        unsafe { (self.api.reg_read)(self.engine, reg.id, value.as_mut_ptr().cast::<c_void>()) };
        match reg.width {
            Width::Bits32 => u128::from(value[0] as u32),
            Width::Bits64 => u128::from(value[0]),
            Width::Bits128 => u128::from(value[0]) | u128::from(value[1]) << 64,
        }
    }

    pub fn write(self, reg: UcReg, value: u128) {
        let words = [value as u64, (value >> 64) as u64, 0, 0, 0, 0, 0, 0];
        // SAFETY: as in `read`.
        unsafe { (self.api.reg_write)(self.engine, reg.id, words.as_ptr().cast::<c_void>()) };
    }

    /// Shows `look` all that the library keeps of the processor, also what has no id, and takes it back if
    /// that gives true. Where in the bytes things are is the library's own affair.
    ///
    /// # Errors
    /// The library's words.
    pub fn with_state<T>(self, look: impl FnOnce(&mut [u8]) -> (T, bool)) -> Result<T, String> {
        // SAFETY: by `new`; who has this is in a hook or between runs.
        unsafe { self.api.with_state(self.engine, look) }
    }

    /// Maps memory of ours where the guest's address space does not reach, for what the library stores there.
    ///
    /// # Errors
    /// The library's words.
    pub fn map(self, what: &str, at: u64, memory: &'static Scratch) -> Result<(), String> {
        let size = size_of::<Scratch>() as u64;
        let to = memory.0.get().cast::<c_void>();
        // SAFETY: by `new`; the memory is there for ever, and nobody reads what is stored in it.
        let error = unsafe { (self.api.mem_map_ptr)(self.engine, at, size, ffi::PROT_ALL, to) };
        self.api.check(what, error)
    }

    /// Has the library map memory of its own, of zeros, where the guest's address space does not reach.
    ///
    /// # Errors
    /// The library's words.
    pub fn map_own(self, what: &str, at: u64, size: u64) -> Result<(), String> {
        // SAFETY: by `new`; the library owns the memory.
        let error = unsafe { (self.api.mem_map)(self.engine, at, size, ffi::PROT_ALL) };
        self.api.check(what, error)
    }

    /// Reads where [`Engine::map_own`] has mapped; zeros, if that is not so.
    #[must_use]
    pub fn load<const N: usize>(self, at: u64) -> [u8; N] {
        let mut bytes = [0; N];
        let to = bytes.as_mut_ptr().cast::<c_void>();
        // SAFETY: by `new`; the library copies so many bytes to there.
        unsafe { (self.api.mem_read)(self.engine, at, to, N as u64) };
        bytes
    }

    /// Stores where [`Engine::map_own`] has mapped.
    ///
    /// # Errors
    /// The library's words.
    pub fn store(self, what: &str, at: u64, bytes: &[u8]) -> Result<(), String> {
        let from = bytes.as_ptr().cast::<c_void>();
        // SAFETY: by `new`; the library copies so many bytes from there.
        let error = unsafe { (self.api.mem_write)(self.engine, at, from, bytes.len() as u64) };
        self.api.check(what, error)
    }

    /// Sets and clears bits of a register.
    pub fn change(self, what: &str, reg: UcReg, set: u64, clear: u64) -> Result<(), String> {
        let mut block = Block::default();
        self.read_block(what, reg.id, &mut block)?;
        if reg.width == Width::Bits32 {
            block.put_u32(0, block.u32_at(0) & !(clear as u32) | set as u32);
        } else {
            block.put_u64(0, block.u64_at(0) & !clear | set);
        }
        self.write_block(what, reg.id, &block)
    }
}

/// What the core does for a guest while the engine waits in a hook, or does not run.
pub(crate) trait Host {
    fn get(&self, reg: u32) -> u128;
    fn set(&self, reg: u32, value: u128);
    fn readable(&self, addr: u64) -> Result<(), Exit>;
    fn space(&self) -> &AddressSpace;
    fn permit(&self, registers: u32) -> bool;
}

/// A processor that has stopped, or is in a hook.
pub struct Stopped<'a> {
    pub engine: Engine<'a>,
    pc: u64,
    host: &'a dyn Host,
}

impl<'a> Stopped<'a> {
    pub(crate) fn new(engine: Engine<'a>, pc: u64, host: &'a dyn Host) -> Self {
        Self { engine, pc, host }
    }

    /// Where it stands.
    #[must_use]
    pub fn pc(&self) -> u64 {
        self.pc
    }

    /// A register by its number.
    #[must_use]
    pub fn get(&self, reg: u32) -> u64 {
        self.host.get(reg) as u64
    }

    pub fn set(&self, reg: u32, value: u64) {
        self.host.set(reg, value.into());
    }

    /// The bytes of code at an address; zeros, which are undefined or harmless everywhere, if they cannot be read.
    #[must_use]
    pub fn code<const N: usize>(&self, addr: u64) -> [u8; N] {
        let mut bytes = [0; N];
        match self.host.space().read(addr, &mut bytes) {
            Ok(()) => bytes,
            Err(_) => [0; N],
        }
    }

    /// Reads memory; zeros where that is not possible.
    pub fn read(&self, addr: u64, into: &mut [u8]) {
        if self.host.space().read(addr, into).is_err() {
            into.fill(0);
        }
    }

    /// What the program gets if it may not read at an address.
    ///
    /// # Errors
    /// That it may not.
    pub fn readable(&self, addr: u64) -> Result<(), Exit> {
        self.host.readable(addr)
    }

    /// Lets programs read hardware registers from now on, a bit for each; false: that was done already, or cannot be.
    #[must_use]
    pub fn permit(&self, registers: u32) -> bool {
        self.host.permit(registers)
    }

    /// Tells the cores of all threads that code may have changed.
    pub fn code_changed(&self, start: u64, end: u64) {
        self.host.space().notify_code_write(start, end);
    }
}
