//! Bringing an engine into the state in which a kernel starts a user program.

use std::ffi::c_void;

use super::ffi::{self, Api, Arm64CpReg, ArmCpReg, Engine};
use super::regs::{a32, a64};
use super::{Guest, UnicornConfig};
use crate::memory::PAGE_SIZE;

/// AArch64 SCTLR_EL1 bits (Arm ARM D19.2.131).
mod sctlr {
    /// EL0 may use DC ZVA.
    pub const DZE: u64 = 1 << 14;
    /// EL0 may read CTR_EL0; left 0, so that the core can answer.
    pub const UCT: u64 = 1 << 15;
    /// WFI and WFE do not trap.
    pub const NTWI: u64 = 1 << 16;
    pub const NTWE: u64 = 1 << 18;
    /// Data accesses at EL0 are big-endian.
    pub const E0E: u64 = 1 << 24;
    /// EL0 may do cache maintenance; left 0, so that the core hears of new code.
    pub const UCI: u64 = 1 << 26;
}

/// AArch32 SCTLR: the CP15 barrier operations work.
const SCTLR_CP15BEN: u64 = 1 << 5;
/// CPACR: full access to coprocessors 10 and 11, that is VFP and Advanced SIMD.
const CPACR_CP10_CP11: u32 = 0xf << 20;
/// CPACR_EL1.FPEN: no trapping of FP and Advanced SIMD.
const CPACR_FPEN: u32 = 3 << 20;
const FPEXC_EN: u32 = 1 << 30;
/// CNTKCTL: user code may read the virtual counter and the frequency, as on Linux.
const CNTKCTL_VCT: u64 = 1 << 1;
/// The AArch32 models that have the timer: UC_CPU_ARM_CORTEX_A7, _A15, UC_CPU_ARM_MAX. Of the
/// others unicorn would complain on stderr.
const GENERIC_TIMER_MODELS: [i32; 3] = [14, 17, 33];
/// TCR_EL1.TBI0: the top byte of an address is ignored.
const TCR_TBI0: u64 = 1 << 37;
pub const CPSR_MODE: u32 = 0x1f;
const CPSR_USR: u32 = 0x10;
pub const CPSR_E: u32 = 1 << 9;

/// An engine being set up; closed again if that fails.
struct Opening<'a> {
    api: &'a Api,
    engine: *mut Engine,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if !self.engine.is_null() {
            // SAFETY: opened by us, and nobody else knows of it.
            unsafe { (self.api.close)(self.engine) };
        }
    }
}

/// Opens an engine whose memory is the host memory at `base`, at user level and with floating point.
///
/// # Safety
/// The `size` bytes at `base` stay reserved as long as the engine exists.
pub unsafe fn open_engine(
    api: &Api,
    config: &UnicornConfig,
    base: *mut c_void,
    size: u64,
) -> Result<*mut Engine, String> {
    let guest = config.guest;
    let arch = if guest.is_aarch64() {
        ffi::ARCH_ARM64
    } else {
        ffi::ARCH_ARM
    };
    let mode = if guest == Guest::ArmBe32 {
        ffi::MODE_BIG_ENDIAN
    } else {
        ffi::MODE_LITTLE_ENDIAN
    };
    check_memory()?;
    let mut opening = Opening {
        api,
        engine: std::ptr::null_mut(),
    };
    // SAFETY: the engine pointer is ours to be written.
    api.check("open", unsafe {
        (api.open)(arch, mode, &raw mut opening.engine)
    })?;
    let engine = opening.engine;
    // SAFETY: the engine is open and not running; the caller vouches for the memory.
    unsafe {
        api.set_page_size(engine, PAGE_SIZE as u32)?;
        api.set_cpu_model(engine, config.model)
            .map_err(|e| format!("{e} (model {} of {guest:?})", config.model))?;
        api.use_virtual_tlb(engine)?;
        api.use_exits(engine)?;
        let error = (api.mem_map_ptr)(engine, 0, size, ffi::PROT_ALL, base);
        api.check("mapping the address space", error)?;
    }
    let state = State { api, engine };
    if guest.is_aarch64() {
        state.user_a64(guest)
    } else {
        state.user_a32(guest, config.model)
    }?;
    opening.engine = std::ptr::null_mut();
    Ok(engine)
}

struct State<'a> {
    api: &'a Api,
    engine: *mut Engine,
}

impl State<'_> {
    fn write<T>(&self, what: &str, id: i32, value: &T) -> Result<(), String> {
        // SAFETY: the engine is open; each caller passes the type that `id` has.
        let error =
            unsafe { (self.api.reg_write)(self.engine, id, (&raw const *value).cast::<c_void>()) };
        self.api.check(what, error)
    }

    fn user_a64(&self, guest: Guest) -> Result<(), String> {
        self.write("CPACR_EL1", a64::CPACR_EL1, &CPACR_FPEN)?;
        // EL0, interrupts not masked. Takes effect with the system registers below, whose
        // writing makes the engine recompute what it derives from all of this.
        self.write("PSTATE", a64::PSTATE, &0u32)?;
        self.system_a64("TCR_EL1", (0, 2, 0, 2), TCR_TBI0, 0)?;
        self.system_a64("CNTKCTL_EL1", (0, 14, 1, 0), CNTKCTL_VCT, 0)?;
        let big = if guest == Guest::Aarch64Be {
            sctlr::E0E
        } else {
            0
        };
        let set = sctlr::DZE | sctlr::NTWI | sctlr::NTWE | big;
        self.system_a64("SCTLR_EL1", (0, 1, 0, 0), set, sctlr::UCT | sctlr::UCI)
    }

    fn system_a64(
        &self,
        name: &str,
        (op1, crn, crm, op2): (u32, u32, u32, u32),
        set: u64,
        clear: u64,
    ) -> Result<(), String> {
        let mut reg = Arm64CpReg {
            crn,
            crm,
            op0: 3,
            op1,
            op2,
            val: 0,
        };
        // SAFETY: the engine is open, and this id has this type.
        let error = unsafe {
            (self.api.reg_read)(self.engine, a64::CP_REG, (&raw mut reg).cast::<c_void>())
        };
        self.api.check(name, error)?;
        reg.val = reg.val & !clear | set;
        self.write(name, a64::CP_REG, &reg)
    }

    fn user_a32(&self, guest: Guest, model: i32) -> Result<(), String> {
        self.write("CPACR", a32::CPACR, &CPACR_CP10_CP11)?;
        self.write("FPEXC", a32::FPEXC, &FPEXC_EN)?;
        let endian = if guest == Guest::Arm { 0 } else { CPSR_E };
        self.write("CPSR", a32::CPSR, &(CPSR_USR | endian))?;
        if GENERIC_TIMER_MODELS.contains(&model) {
            self.coprocessor_a32("CNTKCTL", (14, 1, 0, 0), CNTKCTL_VCT)?;
        }
        self.coprocessor_a32(
            "SCTLR",
            (1, 0, 0, 0),
            sctlr::NTWI | sctlr::NTWE | SCTLR_CP15BEN,
        )
    }

    /// Sets bits of a register of coprocessor 15, given as (CRn, CRm, opc1, opc2).
    fn coprocessor_a32(
        &self,
        name: &str,
        (crn, crm, opc1, opc2): (u32, u32, u32, u32),
        set: u64,
    ) -> Result<(), String> {
        let mut reg = ArmCpReg {
            cp: 15,
            is64: 0,
            sec: 0,
            crn,
            crm,
            opc1,
            opc2,
            val: 0,
        };
        // SAFETY: the engine is open, and this id has this type.
        let error = unsafe {
            (self.api.reg_read)(self.engine, a32::CP_REG, (&raw mut reg).cast::<c_void>())
        };
        self.api.check(name, error)?;
        reg.val |= set;
        self.write(name, a32::CP_REG, &reg)
    }
}

/// Unicorn ends the process when it gets no memory for its translated code.
fn check_memory() -> Result<(), String> {
    /// What it asks for (DEFAULT_CODE_GEN_BUFFER_SIZE of its tcg/translate-all.c), and something for the rest.
    const WANTED: usize = (1 << 30) + (64 << 20);
    let limited = [libc::RLIMIT_AS, libc::RLIMIT_DATA].iter().any(|which| {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `limit` is an rlimit.
        let known = unsafe { libc::getrlimit(*which, &raw mut limit) } == 0;
        known && limit.rlim_cur != libc::RLIM_INFINITY
    });
    if !limited {
        return Ok(());
    }
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, which nobody uses.
    unsafe {
        let probe = libc::mmap(std::ptr::null_mut(), WANTED, prot, flags, -1, 0);
        if probe == libc::MAP_FAILED {
            return Err(
                "the unicorn core has no memory: it takes more than 1 GiB, which \
                        ulimit -d or -v does not permit (the native core takes less)"
                    .into(),
            );
        }
        libc::munmap(probe, WANTED);
    }
    Ok(())
}
