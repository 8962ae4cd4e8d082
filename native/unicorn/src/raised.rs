//! Where an exception was raised, for targets of which the library does not tell.
//!
//! Before it calls the interrupt hook, the library sets MIPS' program counter to what follows the last system
//! call, whatever was raised (`uc->next_pc` in qemu/accel/tcg/cpu-exec.c). And an instruction in a branch's delay
//! slot cannot be begun again by itself: its state says where the branch goes. The kernel of such a processor
//! is told of the branch (EPC and Cause.BD), which is then begun again.
//!
//! QEMU's own function for that, `exception_resume_pc`, is a symbol of the library. What it wants, the processor's
//! state, is the argument of `do_raise_exception_err` and `restore_state_to_opc`, which the library calls through its linkage
//! table: their slots there are pointed at functions of ours. When the library then leaves translated code, by `cpu_loop_exit`, its state is
//! exact, and is asked.
//!
//! The library makes the state exact too when it asks for a page of data, and goes on: if that was in a delay slot, the state says
//! so for good, and the next block would begin in one. So that is taken back.

use std::cell::Cell;
use std::ffi::{CString, c_int, c_void};
use std::sync::OnceLock;

use libloading::os::unix::Library;

use crate::stops::Image;
use crate::target::{SLOTS, for_each_slot};

/// `void do_raise_exception_err(CPUMIPSState *, uint32_t exception, int code, uintptr_t host_pc)`.
type Raise = unsafe extern "C" fn(*mut c_void, u32, c_int, usize);
/// `void cpu_loop_exit(CPUState *)`; neither returns.
type Leave = unsafe extern "C" fn(*mut c_void);
/// `target_ulong exception_resume_pc(CPUMIPSState *)`.
type ResumePc = unsafe extern "C" fn(*mut c_void) -> u64;
/// `void restore_state_to_opc(CPUMIPSState *, TranslationBlock *, target_ulong *)`: program counter,
/// flags of a branch that is under way, where it goes.
type Restore = unsafe extern "C" fn(*mut c_void, *mut c_void, *const u64);
/// `void gen_intermediate_code(CPUState *, TranslationBlock *, int max_insns)`.
type TranslateCode = unsafe extern "C" fn(*mut c_void, *mut c_void, c_int);
/// `void helper_eret(CPUMIPSState *)`.
type Return = unsafe extern "C" fn(*mut c_void);
/// `void helper_mtc0_hwrena(CPUMIPSState *, target_ulong)`.
type Permit = unsafe extern "C" fn(*mut c_void, u64);

#[derive(Clone, Copy)]
struct Functions {
    raise: Raise,
    leave: Leave,
    resume_pc: ResumePc,
    restore: Restore,
    translate: TranslateCode,
    eret: Return,
    permit: Permit,
}

static FUNCTIONS: [OnceLock<Functions>; SLOTS] = [const { OnceLock::new() }; SLOTS];
static RAISES: [unsafe extern "C" fn(*mut c_void, u32, c_int, usize); SLOTS] =
    for_each_slot!(raise);
static RESTORES: [unsafe extern "C" fn(*mut c_void, *mut c_void, *const u64); SLOTS] =
    for_each_slot!(restore);
static TRANSLATES: [extern "C" fn(*mut c_void, u64, c_int) -> u64; SLOTS] =
    for_each_slot!(translate);
static TRANSLATIONS: [unsafe extern "C" fn(*mut c_void, *mut c_void, c_int); SLOTS] =
    for_each_slot!(translate_code);
static LEAVES: [unsafe extern "C" fn(*mut c_void); SLOTS] = for_each_slot!(leave);

thread_local! {
    /// The state of the processor that this thread runs; null until it has raised an exception.
    static STATE: Cell<*mut c_void> = const { Cell::new(std::ptr::null_mut()) };
    /// Where it is to go on, since it left translated code.
    static RESUME: Cell<Option<u64>> = const { Cell::new(None) };
}

/// What the library knows of a processor; it is there from its first exception or page of data on.
#[derive(Clone, Copy)]
pub struct State {
    at: *mut c_void,
    functions: &'static Functions,
}

impl State {
    /// Where the processor, which is not within translated code, is to go on: a branch whose delay slot is next is begun again.
    pub fn resume_pc(self, bits: u32) -> u64 {
        // SAFETY: the state of an engine that is open, as its owner has it only as long.
        unsafe { (self.functions.resume_pc)(self.at) & u64::MAX >> (64 - bits) }
    }

    /// As a kernel goes back to a program: what LL has loaded is for no SC any more, as others may have run since.
    pub fn go_back(self, bits: u32) {
        let pc = self.resume_pc(bits);
        // SAFETY: as above; the program counter is set next.
        unsafe { (self.functions.eret)(self.at) };
        self.go_on(pc, bits);
    }

    /// Has it go on at `pc`, with no branch under way.
    pub fn go_on(self, pc: u64, bits: u32) {
        let narrow = [pc as u32, 0, 0, 0, 0, 0];
        let wide = [pc, 0, 0];
        let data = if bits == 32 {
            narrow.as_ptr().cast::<u64>()
        } else {
            wide.as_ptr()
        };
        // SAFETY: as above; three words are read, and nothing of the block.
        unsafe { (self.functions.restore)(self.at, std::ptr::null_mut(), data) };
    }

    /// Lets programs read hardware registers: a bit for each (HWREna).
    pub fn permit(self, registers: u32) {
        // SAFETY: as above.
        unsafe { (self.functions.permit)(self.at, registers.into()) };
    }
}

unsafe extern "C" fn raise<const SLOT: usize>(
    state: *mut c_void,
    exception: u32,
    code: c_int,
    host_pc: usize,
) {
    STATE.set(state);
    if let Some(functions) = FUNCTIONS[SLOT].get() {
        // SAFETY: the library's own function with its own arguments.
        unsafe { (functions.raise)(state, exception, code, host_pc) }
    }
}

unsafe extern "C" fn restore<const SLOT: usize>(
    state: *mut c_void,
    block: *mut c_void,
    data: *const u64,
) {
    STATE.set(state);
    if let Some(functions) = FUNCTIONS[SLOT].get() {
        // SAFETY: the library's own function with its own arguments.
        unsafe { (functions.restore)(state, block, data) }
    }
}

/// LL asks the processor's own tables where its address is, which nobody has filled: pages are the core's business.
extern "C" fn translate<const SLOT: usize>(_: *mut c_void, address: u64, _: c_int) -> u64 {
    address
}

/// For each instruction MIPS' translator takes a temporary value that it does not give back, and it has 512 of them in a
/// block. Their number is not checked, and what is behind them is overwritten.
unsafe extern "C" fn translate_code<const SLOT: usize>(
    cpu: *mut c_void,
    block: *mut c_void,
    most: c_int,
) {
    const MOST: c_int = 100;
    if let Some(functions) = FUNCTIONS[SLOT].get() {
        // SAFETY: the library's own function; a smaller number is as good.
        unsafe { (functions.translate)(cpu, block, most.min(MOST)) }
    }
}

unsafe extern "C" fn leave<const SLOT: usize>(cpu: *mut c_void) {
    let Some(functions) = FUNCTIONS[SLOT].get() else {
        std::process::abort();
    };
    let state = STATE.get();
    if !state.is_null() {
        // SAFETY: the state of the running engine. The upper half of a narrow result is taken off later.
        RESUME.set(Some(unsafe { (functions.resume_pc)(state) }));
    }
    // SAFETY: the library's own function with its own argument.
    unsafe { (functions.leave)(cpu) }
}

/// Sets this up for a target. False: it has no such functions, and needs none.
///
/// # Safety
/// `image` is the loaded `library`, which stays loaded.
pub unsafe fn set_up(library: &Library, image: &Image, name: &str, slot: usize) -> bool {
    let symbol = |function: &str| CString::new(format!("{function}_{name}")).unwrap_or_default();
    let (raise, leave) = (symbol("do_raise_exception_err"), symbol("cpu_loop_exit"));
    let restore = symbol("restore_state_to_opc");
    let translate = symbol("gen_intermediate_code");
    // This one has the name of the family in it, of which widths and byte orders make several targets.
    let family = name.trim_end_matches("el").trim_end_matches("64");
    // SAFETY: the types of these functions in target/mips/{internal,helper}.h and exec-all.h.
    let found = unsafe {
        let get = |name: &std::ffi::CStr| {
            library
                .get::<*mut c_void>(name.to_bytes_with_nul())
                .map(|found| *found)
        };
        (|| {
            Ok::<_, libloading::Error>(Functions {
                raise: std::mem::transmute::<*mut c_void, Raise>(get(&raise)?),
                leave: std::mem::transmute::<*mut c_void, Leave>(get(&leave)?),
                resume_pc: std::mem::transmute::<*mut c_void, ResumePc>(get(&symbol(
                    "exception_resume_pc",
                ))?),
                restore: std::mem::transmute::<*mut c_void, Restore>(get(&restore)?),
                translate: std::mem::transmute::<*mut c_void, TranslateCode>(get(&translate)?),
                eret: std::mem::transmute::<*mut c_void, Return>(get(&symbol("helper_eret"))?),
                permit: std::mem::transmute::<*mut c_void, Permit>(get(&symbol(
                    "helper_mtc0_hwrena",
                ))?),
            })
        })()
    };
    let Ok(functions) = found else {
        return false;
    };
    FUNCTIONS[slot].set(functions).is_ok()
        && image.redirect(&raise, RAISES[slot] as *const () as usize)
        && image.redirect(
            &symbol(&format!("cpu_{family}_translate_address")),
            TRANSLATES[slot] as *const () as usize,
        )
        && image.redirect(&translate, TRANSLATIONS[slot] as *const () as usize)
        && image.redirect(&restore, RESTORES[slot] as *const () as usize)
        && image.redirect(&leave, LEAVES[slot] as *const () as usize)
}

/// This thread is about to run an engine with this state, if that is known.
pub fn begin(state: Option<State>) {
    STATE.set(state.map_or(std::ptr::null_mut(), |state| state.at));
    RESUME.set(None);
}

/// Where the engine that this thread runs is to go on, since it left translated code.
pub fn resumes_at(bits: u32) -> Option<u64> {
    RESUME.get().map(|pc| pc & u64::MAX >> (64 - bits))
}

/// The state of the engine that this thread runs, or has run last.
pub fn state(slot: usize) -> Option<State> {
    let (at, functions) = (STATE.get(), FUNCTIONS[slot].get()?);
    (!at.is_null()).then_some(State { at, functions })
}
