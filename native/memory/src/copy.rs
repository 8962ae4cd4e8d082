//! Copies from and to guest memory that fail instead of crashing.
//!
//! The guest may have unmapped the range, or a mapped file may have been truncated
//! (SIGBUS), at any moment, so checking before does not help. The copies below run in
//! a known range of host code; [`super::fault`] sends a fault in it to a landing
//! that reports how much was left.

use std::arch::global_asm;
use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;

use super::fault;
use super::space::AddressSpace;
use super::tags::without_tag;
use super::types::{Efault, PAGE_SIZE};

#[cfg(not(target_arch = "x86_64"))]
compile_error!("guest memory access is written for x86-64 hosts only");

// Every function keeps in rcx the number of bytes it still has to do, and ends at the
// landing, which returns it. `rep movsb` and `rep stosb` leave rcx exact when they fault
// (Intel SDM vol. 2B, "REP": the state is that before the faulting iteration).
global_asm!(
    ".pushsection .text.qusr_guest_access, \"ax\", @progbits",
    ".balign 16",
    ".globl qusr_access_start, qusr_access_landing",
    ".hidden qusr_access_start, qusr_access_landing",
    ".globl qusr_copy, qusr_fill, qusr_copy1, qusr_copy2, qusr_copy4, qusr_copy8",
    ".hidden qusr_copy, qusr_fill, qusr_copy1, qusr_copy2, qusr_copy4, qusr_copy8",
    "qusr_access_start:",
    "qusr_copy:", // rdi: to, rsi: from, rdx: length
    "mov rcx, rdx",
    "rep movsb",
    "jmp qusr_access_landing",
    "qusr_fill:", // rdi: to, sil: byte, rdx: length
    "mov rcx, rdx",
    "mov eax, esi",
    "rep stosb",
    "jmp qusr_access_landing",
    // One access each, so that they are single-copy atomic when aligned.
    "qusr_copy1:",
    "mov ecx, 1",
    "mov al, [rsi]",
    "mov [rdi], al",
    "jmp 2f",
    "qusr_copy2:",
    "mov ecx, 2",
    "mov ax, [rsi]",
    "mov [rdi], ax",
    "jmp 2f",
    "qusr_copy4:",
    "mov ecx, 4",
    "mov eax, [rsi]",
    "mov [rdi], eax",
    "jmp 2f",
    "qusr_copy8:",
    "mov ecx, 8",
    "mov rax, [rsi]",
    "mov [rdi], rax",
    "2:",
    "xor ecx, ecx",
    "qusr_access_landing:",
    "mov rax, rcx",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn qusr_copy(to: *mut c_void, from: *const c_void, len: usize) -> usize;
    fn qusr_fill(to: *mut c_void, byte: u32, len: usize) -> usize;
    fn qusr_copy1(to: *mut c_void, from: *const c_void) -> usize;
    fn qusr_copy2(to: *mut c_void, from: *const c_void) -> usize;
    fn qusr_copy4(to: *mut c_void, from: *const c_void) -> usize;
    fn qusr_copy8(to: *mut c_void, from: *const c_void) -> usize;
    static qusr_access_start: u8;
    static qusr_access_landing: u8;
}

/// Makes faults in the copies above land; to be called before the first of them.
pub(super) fn prepare() -> std::io::Result<()> {
    let landing = &raw const qusr_access_landing as usize;
    fault::install()?;
    fault::add_landing(&raw const qusr_access_start as usize..landing, landing)
}

/// Copies and returns how many bytes were left when it faulted.
///
/// # Safety
/// One side is the caller's own memory, valid for `len` bytes; the other is in the window.
pub(super) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) -> usize {
    let (to, from) = (to.cast::<c_void>(), from.cast::<c_void>());
    // SAFETY: as the caller promises; faults on the window's side land.
    unsafe {
        match len {
            1 => qusr_copy1(to, from),
            2 => qusr_copy2(to, from),
            4 => qusr_copy4(to, from),
            8 => qusr_copy8(to, from),
            _ => qusr_copy(to, from, len),
        }
    }
}

impl AddressSpace {
    /// Runs `access(done, host pointer, rest)`, which returns how many bytes it left, until
    /// nothing is left or a fault stays after the stack was given the chance to grow.
    fn access(
        &self,
        addr: u64,
        len: usize,
        mut access: impl FnMut(usize, *mut u8, usize) -> usize,
    ) -> Result<(), Efault> {
        let addr = if addr < self.limit() {
            addr
        } else {
            without_tag(addr).unwrap_or(addr)
        };
        let within = self.limit().saturating_sub(addr).min(len as u64) as usize;
        let mut done = 0;
        while done < within {
            let at = addr + done as u64;
            let Some(host) = self.host_ptr(at, (within - done) as u64) else {
                break;
            };
            let left = access(done, host, within - done);
            done = within - left;
            if left > 0 && !self.fault(addr + done as u64) {
                return Err(Efault {
                    addr: addr + done as u64,
                });
            }
        }
        if done < len {
            Err(Efault {
                addr: addr.wrapping_add(done as u64),
            })
        } else {
            Ok(())
        }
    }

    /// Copies guest memory out. On a fault the bytes before it are in `buf`.
    pub fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), Efault> {
        let to = buf.as_mut_ptr();
        self.access(addr, buf.len(), |done, host, rest| {
            // SAFETY: `done + rest` is the length of `buf`, and `host` is in the window.
            unsafe { copy(to.add(done), host, rest) }
        })
    }

    /// Copies into guest memory. On a fault the bytes before it have been written. Tells the
    /// cores if that may have changed code.
    pub fn write(&self, addr: u64, data: &[u8]) -> Result<(), Efault> {
        let result = self.access(addr, data.len(), |done, host, rest| {
            // SAFETY: `done + rest` is the length of `data`, and `host` is in the window.
            unsafe { copy(host, data.as_ptr().add(done), rest) }
        });
        self.wrote(addr, data.len() as u64);
        result
    }

    /// Writes zeros.
    pub fn fill_zero(&self, addr: u64, len: u64) -> Result<(), Efault> {
        let result = self.access(addr, len as usize, |_, host, rest| {
            // SAFETY: `host..host + rest` is in the window; faults land.
            unsafe { qusr_fill(host.cast(), 0, rest) }
        });
        self.wrote(addr, len);
        result
    }

    fn wrote(&self, addr: u64, len: u64) {
        if self.write_touches_code(addr, len) {
            self.notify_code_write(addr, addr.saturating_add(len));
        }
    }

    /// Reads whatever the protection is, as ptrace(2) does for a debugger.
    pub fn peek(&self, addr: u64, buf: &mut [u8]) -> Result<(), Efault> {
        let host = self.mapped(addr, buf.len())?;
        let memory = File::open("/proc/self/mem").map_err(|_| Efault { addr })?;
        memory.read_exact_at(buf, host).map_err(|_| Efault { addr })
    }

    /// Writes whatever the protection is; a private mapping gets its own copy of the page.
    pub fn poke(&self, addr: u64, data: &[u8]) -> Result<(), Efault> {
        let host = self.mapped(addr, data.len())?;
        let memory = OpenOptions::new().write(true).open("/proc/self/mem");
        let memory = memory.map_err(|_| Efault { addr })?;
        memory
            .write_all_at(data, host)
            .map_err(|_| Efault { addr })?;
        self.notify_code_write(addr, addr + data.len() as u64);
        Ok(())
    }

    /// The host address of a range that is wholly mapped. The reservation can be poked, too,
    /// so this has to be asked.
    fn mapped(&self, addr: u64, len: usize) -> Result<u64, Efault> {
        let host = self.host_ptr(addr, len as u64).ok_or(Efault { addr })?;
        match self.read_maps().regions.first_hole(addr, addr + len as u64) {
            Some(addr) => Err(Efault { addr }),
            None => Ok(host as u64),
        }
    }

    /// Reads a NUL-terminated string of at most `max` bytes, without the NUL. `Ok(None)` when
    /// there is no NUL among the first `max` bytes.
    pub fn read_cstr(&self, addr: u64, max: usize) -> Result<Option<Vec<u8>>, Efault> {
        let mut text = Vec::new();
        while text.len() < max {
            let at = addr.wrapping_add(text.len() as u64);
            let to_page_end = (PAGE_SIZE - at % PAGE_SIZE) as usize;
            let mut chunk = [0_u8; 256];
            let part = &mut chunk[..to_page_end.min(max - text.len()).min(256)];
            self.read(at, part)?;
            if let Some(nul) = part.iter().position(|&byte| byte == 0) {
                text.extend_from_slice(&part[..nul]);
                return Ok(Some(text));
            }
            text.extend_from_slice(part);
        }
        Ok(None)
    }

    /// Reads a 32-bit word of the host's byte order; atomic when aligned.
    pub fn read_u32(&self, addr: u64) -> Result<u32, Efault> {
        let mut bytes = [0; 4];
        self.read(addr, &mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    /// Reads a 64-bit word of the host's byte order; atomic when aligned.
    pub fn read_u64(&self, addr: u64) -> Result<u64, Efault> {
        let mut bytes = [0; 8];
        self.read(addr, &mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    pub fn write_u32(&self, addr: u64, value: u32) -> Result<(), Efault> {
        self.write(addr, &value.to_ne_bytes())
    }

    pub fn write_u64(&self, addr: u64, value: u64) -> Result<(), Efault> {
        self.write(addr, &value.to_ne_bytes())
    }
}
