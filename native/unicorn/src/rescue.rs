//! Host faults of translated code on memory that the engine's TLB still allows.
//!
//! Whether a page may be accessed is asked when it enters the TLB. Then another process may cut
//! off the file behind it, or another guest thread unmap it, and the host answers with a signal
//! in the midst of translated code or of a helper that it called. That
//! instruction is taken back: the engine's state is made that of its start, as for a fault, and it
//! is executed again with an empty TLB. Now the page is asked for, and what is wrong is seen.
//!
//! Which guest instruction it was follows from the return address into the translated code that
//! helpers get (QEMU's docs/devel/tcg.rst, accel/tcg/cputlb.c). The functions that
//! QEMU itself uses for this, `cpu_restore_state` and `cpu_loop_exit`, are symbols of the library.

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::sync::{Once, OnceLock};

use super::core::Inner;
use super::stops::Image;
use crate::memory::fault::{HostFault, Stage, add_claim};
use crate::target::{SLOTS, for_each_slot};

/// `bool cpu_restore_state(CPUState *, uintptr_t host_pc, bool will_exit)`.
pub type Restore = unsafe extern "C" fn(*mut c_void, usize, bool) -> bool;
/// `void cpu_loop_exit(CPUState *)`, which does not return.
pub type LoopExit = unsafe extern "C" fn(*mut c_void) -> !;

/// What `cpu_restore_state` subtracts from a return address to get into the call (GETPC_ADJ).
const GETPC_ADJ: usize = 2;
/// So often in a run a page is tried again before the guest gets the signal.
const PATIENCE: u32 = 4;

#[derive(Clone, Copy)]
struct Functions {
    restore: Restore,
    loop_exit: LoopExit,
}

/// Each target's own.
static FUNCTIONS: [OnceLock<Functions>; SLOTS] = [const { OnceLock::new() }; SLOTS];
static REPLACEMENTS: [Restore; SLOTS] = for_each_slot!(restored);

/// The engine that this thread runs.
#[derive(Clone, Copy)]
struct Running {
    inner: *const Inner,
    /// Its CPUState; null until it has asked for a page of data.
    cpu: *mut c_void,
}

thread_local! {
    /// Const-initialised and without a destructor: safe to use in a signal handler.
    static RUNNING: Cell<Running> = const {
        Cell::new(Running { inner: std::ptr::null(), cpu: std::ptr::null_mut() })
    };
}

/// The calling thread runs `inner`'s engine during `run`.
pub fn while_running<T>(inner: &Inner, run: impl FnOnce() -> T) -> T {
    RUNNING.set(Running {
        inner,
        cpu: std::ptr::null_mut(),
    });
    let result = run();
    RUNNING.set(Running {
        inner: std::ptr::null(),
        cpu: std::ptr::null_mut(),
    });
    result
}

/// The library calls this through its linkage table each time it asks for a page of data.
unsafe extern "C" fn restored<const SLOT: usize>(
    cpu: *mut c_void,
    host_pc: usize,
    will_exit: bool,
) -> bool {
    let running = RUNNING.get();
    RUNNING.set(Running { cpu, ..running });
    if !running.inner.is_null() {
        // SAFETY: `while_running` holds the borrow.
        unsafe { &*running.inner }.has_cpu(cpu);
    }
    FUNCTIONS[SLOT].get().is_some_and(|functions| {
        // SAFETY: the library's own function with its own arguments.
        unsafe { (functions.restore)(cpu, host_pc, will_exit) }
    })
}

/// Sets this up for a target whose functions these are, the first one being called `name`. False where the
/// library is not as expected: host faults stay what they were, the end.
pub fn set_up(
    image: &Image,
    slot: usize,
    name: &CStr,
    restore: Restore,
    loop_exit: LoopExit,
) -> bool {
    static CLAIMED: Once = Once::new();
    let _ = FUNCTIONS[slot].set(Functions { restore, loop_exit });
    if !image.redirect(name, REPLACEMENTS[slot] as *const () as usize) {
        return false;
    }
    // A failure only means that there is no rescue.
    CLAIMED.call_once(|| drop(add_claim(Stage::Take, claim)));
    true
}

fn claim(fault: &mut HostFault<'_>) -> bool {
    let Running { inner, cpu } = RUNNING.get();
    if inner.is_null() || cpu.is_null() || !fault.is_synchronous() {
        return false;
    }
    // SAFETY: `while_running` holds the borrow.
    let inner = unsafe { &*inner };
    if inner.slot().is_none() {
        return false;
    }
    let Some(addr) = inner.guest_address(fault.address()) else {
        return false;
    };
    let Some(host_pc) = position(fault.pc()) else {
        return false;
    };
    inner.host_fault_at(addr, fault.signal == libc::SIGBUS);
    let registers = &mut fault.context().uc_mcontext.gregs;
    // As if the function had been called here: behind the red zone, with its stack aligned.
    let stack = ((registers[libc::REG_RSP as usize] as usize - 128) & !15) - 8;
    registers[libc::REG_RSP as usize] = stack as i64;
    registers[libc::REG_RDI as usize] = cpu as i64;
    registers[libc::REG_RSI as usize] = host_pc as i64;
    fault.resume_at(take_back as *const () as usize);
    true
}

/// Whether [`leave`] is possible.
pub fn can_leave(inner: &Inner, cpu: *mut c_void) -> bool {
    let functions = inner.slot().and_then(|slot| FUNCTIONS[slot].get());
    !cpu.is_null() && functions.is_some()
}

/// Goes from a hook back to the library's loop, as its own helpers do; if it cannot, it comes back.
///
/// # Safety
/// `inner`'s engine is in translated code, which has called the hook; `cpu` is its CPUState. On the way back to there is
/// nothing to clean up.
pub unsafe fn leave(inner: &Inner, cpu: *mut c_void) {
    if let Some(functions) = inner.slot().and_then(|slot| FUNCTIONS[slot].get()) {
        // SAFETY: the caller's promise.
        unsafe { (functions.loop_exit)(cpu) }
    }
}

/// Not in the signal handler any more, but in its place in translated code.
unsafe extern "C" fn take_back(cpu: *mut c_void, host_pc: usize) -> ! {
    // SAFETY: set by `claim`; the engine is where a helper could be that it called.
    let inner = unsafe { &*RUNNING.get().inner };
    let Some(functions) = inner.slot().and_then(|slot| FUNCTIONS[slot].get()) else {
        std::process::abort();
    };
    // SAFETY: as QEMU's own helpers do, `cpu_loop_exit_restore`. Nothing on the way to the loop's
    // `sigsetjmp` is ours or has anything to clean up.
    unsafe {
        (functions.restore)(cpu, host_pc, true);
        inner.flush_tlb();
        (functions.loop_exit)(cpu)
    }
}

unsafe extern "C" {
    /// Of the C compiler's unwinder, which the standard library links.
    fn _Unwind_Backtrace(
        trace: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

/// What the walk up the stack has found.
struct Walk {
    /// The faulting instruction, and whether it was passed.
    pc: usize,
    passed: bool,
    last: usize,
}

extern "C" fn visit(context: *mut c_void, walk: *mut c_void) -> c_int {
    // SAFETY: `position` passes its own `Walk`.
    let walk = unsafe { &mut *walk.cast::<Walk>() };
    // SAFETY: the unwinder passes its own context.
    let ip = unsafe { _Unwind_GetIP(context) };
    walk.passed |= ip == walk.pc;
    if walk.passed && ip != 0 {
        walk.last = ip;
    }
    0
}

/// The position in translated code, as `cpu_restore_state` wants it, of the fault at `pc`: there, or
/// where it called the helper that `pc` is in. Translated code has no unwinding tables, so the
/// walk up the stack ends in it.
fn position(pc: usize) -> Option<usize> {
    let mut walk = Walk {
        pc,
        passed: false,
        last: 0,
    };
    // SAFETY: a synchronous fault of code that holds no lock; `visit` gets what it expects.
    unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
    match walk.last {
        0 => None,
        last if last == pc => Some(pc + GETPC_ADJ),
        // SAFETY: code, in the midst of a buffer of it.
        last => Some(unsafe { slow_load(last) }.unwrap_or(last)),
    }
}

/// A load that misses the TLB is carried out behind its block, `lea rcx, [rip+x]; call helper`, and
/// rcx, the helper's fourth argument, is what counts (tcg/i386/tcg-target.inc.c,
/// `tcg_out_qemu_ld_slow_path`).
///
/// # Safety
/// The 13 bytes before `return_address` can be read.
unsafe fn slow_load(return_address: usize) -> Option<usize> {
    // SAFETY: the caller's promise.
    let code = unsafe { std::slice::from_raw_parts((return_address - 13) as *const u8, 13) };
    let call = match code {
        [.., 0xe8, _, _, _, _] if code[1..4] == [0x48, 0x8d, 0x0d] => 5,
        [.., 0xff, 0x15, _, _, _, _] if code[..3] == [0x48, 0x8d, 0x0d] => 6,
        _ => return None,
    };
    let at = code.len() - call - 4;
    let offset = i32::from_le_bytes(*code[at..].first_chunk()?);
    Some((return_address - call).wrapping_add_signed(offset as isize))
}

/// How often in a run, and in succession, a page gave a host fault that its mapping does not explain.
#[derive(Clone, Copy, Default)]
pub struct Repeated {
    page: u64,
    count: u32,
    bus: bool,
}

impl Repeated {
    /// Counts a fault.
    #[must_use]
    pub fn and(self, page: u64, bus: bool) -> Self {
        let count = if page == self.page { self.count } else { 0 };
        Self {
            page,
            count: count + 1,
            bus,
        }
    }

    /// Whether the guest is to get the signal (SIGBUS: true) for the page.
    #[must_use]
    pub fn signal_for(self, page: u64) -> Option<bool> {
        (page == self.page && self.count > PATIENCE).then_some(self.bus)
    }
}
