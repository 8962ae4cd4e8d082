//! What Linux makes of an instruction set: how a program enters the kernel and what it gets back,
//! what a signal frame looks like, which signal a trap is.
//!
//! Each guest has a [`LinuxAbi`] (`native/guests/src/<isa>/linux`). What differs between guests by a
//! number is in its [`Facts`]; what is a rule is a method. Variants of one ISA (byte order, word size)
//! are values of the type that implements it.

use crate::abi::GuestAbi;
use crate::cpu::{CpuCore, Exit, Regs};
use crate::memory::{AddressSpace, Efault};
use crate::signal::{FaultInfo, FrameContext, Restored};
use crate::thunk::convert::get_int;
use crate::thunk::exec::Args;
use crate::thunk::table::MAX_SLOTS;

/// The registers of a guest that the kernel knows, by their numbers in [`Regs`].
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// The number of a system call.
    pub number: u32,
    /// Its arguments, in order.
    pub args: &'static [u32],
    /// Where further arguments are.
    pub stack_args: Option<StackArgs>,
    /// All that a result changes, the one with the value first.
    pub results: &'static [u32],
    pub pc: u32,
    pub sp: u32,
    /// The thread pointer that clone(2) and `set_tls` write.
    pub tls: u32,
    /// How many there are.
    pub count: usize,
    /// Those that say what others mean (which instruction set a pc is in): they are written first.
    pub leading: &'static [u32],
    /// The one that has 0 or 1 for a tracer before and after a system call.
    pub call_marker: Option<u32>,
    /// The one that has the call's number for a tracer before a system call, instead of an argument.
    pub shown_number: Option<u32>,
    /// The one that has -ENOSYS for a tracer before a system call: the result of one that is not made.
    pub pending_result: Option<u32>,
    /// The number of syscall(2), where the kernel has it: the first argument is the call's number, and all who see
    /// calls see that one.
    pub indirect: Option<u64>,
}

/// Arguments behind those in registers, a word each.
#[derive(Clone, Copy, Debug)]
pub struct StackArgs {
    /// Of the first one, from the stack pointer.
    pub offset: u64,
    pub count: usize,
}

impl Registers {
    /// The number of the call that a program makes, and its arguments.
    #[inline]
    pub fn call(&self, regs: &mut dyn Regs, space: &AddressSpace, abi: GuestAbi) -> (u64, Args) {
        let mut args = [0; MAX_SLOTS];
        for (slot, id) in args.iter_mut().zip(self.args) {
            *slot = regs.get(*id);
        }
        if let Some(more) = self.stack_args {
            let at = regs.get(self.sp).wrapping_add(more.offset);
            let slots = args.iter_mut().skip(self.args.len()).take(more.count);
            read_stack(slots, at, space, abi);
        }
        let number = regs.get(self.number);
        if self.indirect == Some(number) && args[0] != number {
            args.rotate_left(1);
            return (std::mem::take(&mut args[MAX_SLOTS - 1]), args);
        }
        (number, args)
    }
}

/// What cannot be read is 0 to the call (arch/mips/kernel/scall32-o32.S, `bad_stack_a4`).
fn read_stack<'a>(
    slots: impl Iterator<Item = &'a mut u64>,
    at: u64,
    space: &AddressSpace,
    abi: GuestAbi,
) {
    let word = abi.word_bytes();
    for (index, slot) in slots.enumerate() {
        let mut bytes = [0; 8];
        let read = space.read(at + (index * word) as u64, &mut bytes[..word]);
        if read.is_ok() {
            *slot = get_int(&bytes[..word], abi.big_endian, false);
        }
    }
}

/// The order of clone(2)'s arguments: where those of [`CloneOrder::PLAIN`] are (arch/Kconfig).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloneOrder([u8; 5]);

impl CloneOrder {
    /// Flags, stack, parent's tid, child's tid, thread pointer.
    pub const PLAIN: Self = Self([0, 1, 2, 3, 4]);
    /// `CONFIG_CLONE_BACKWARDS`: the thread pointer before the child's tid.
    pub const BACKWARDS: Self = Self([0, 1, 2, 4, 3]);
    /// `CONFIG_CLONE_BACKWARDS2`: the stack before the flags.
    pub const BACKWARDS2: Self = Self([1, 0, 2, 3, 4]);
    /// `CONFIG_CLONE_BACKWARDS3`: the stack's size behind the stack.
    pub const BACKWARDS3: Self = Self([0, 1, 3, 4, 5]);

    /// Arguments in this order, of those in the order of [`CloneOrder::PLAIN`].
    #[must_use]
    pub fn of_plain(self, plain: [u64; 5]) -> [u64; 6] {
        let mut given = [0; 6];
        for (value, at) in plain.into_iter().zip(self.0) {
            given[usize::from(at)] = value;
        }
        given
    }

    /// Puts the arguments into the order of [`CloneOrder::PLAIN`].
    pub fn arrange(self, values: &mut [u64]) {
        let given: [u64; 5] = self.0.map(|at| values[usize::from(at)]);
        values[..5].copy_from_slice(&given);
    }
}

/// A field of struct sigaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionField {
    Handler,
    Flags,
    /// The flags as an `int`, at the begin of their word.
    IntFlags,
    Restorer,
    /// As long as [`Facts::sigset_size`]; the last one.
    Mask,
}

/// The struct sigaction of rt_sigaction(2): its fields in order. But for the mask each has a word.
#[derive(Clone, Copy, Debug)]
pub struct ActionLayout(pub &'static [ActionField]);

impl ActionLayout {
    /// include/linux/signal_types.h, with `__ARCH_HAS_SA_RESTORER`.
    pub const RESTORER: Self = Self(&[
        ActionField::Handler,
        ActionField::Flags,
        ActionField::Restorer,
        ActionField::Mask,
    ]);
    /// The same without.
    pub const PLAIN: Self = Self(&[ActionField::Handler, ActionField::Flags, ActionField::Mask]);

    /// Where a field is, in words.
    #[must_use]
    pub fn place(self, field: ActionField) -> Option<u64> {
        let found = self.0.iter().position(|known| *known == field);
        found.map(|index| index as u64)
    }
}

/// What is a number.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub registers: Registers,
    /// `e_machine` of its programs.
    pub machine: u16,
    /// Of clone(2)'s arguments.
    pub clone: CloneOrder,
    /// Bytes of a `sigset_t` that system calls take.
    pub sigset_size: usize,
    pub action: ActionLayout,
    /// A smaller alternate stack is refused (`MINSIGSTKSZ`).
    pub min_signal_stack: u64,
    /// The page with the code that calls sigreturn, as /proc/self/maps has it.
    pub trampoline_name: &'static str,
    /// It is an ELF image, which the auxiliary vector tells of.
    pub has_vdso: bool,
    /// What mmap(2) and its like count in.
    pub page_size: u64,
    /// To what shmat(2) aligns.
    pub shmlba: u64,
    /// The processor ignores the top byte of addresses.
    pub tagged_addresses: bool,
    /// stack_t has the flags behind the size.
    pub stack_flags_last: bool,
    /// A breakpoint instruction is an undefined one (SIGILL) to a program without a tracer.
    pub breaks_need_tracer: bool,
}

/// A call about a program's own processor, which only the kernels of some have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnCall {
    ArchPrctl,
    ModifyLdt,
    SetThreadArea,
    GetThreadArea,
    /// prctl(2) of pointer authentication, with its arguments.
    PacResetKeys,
    PacSetKeys,
    PacGetKeys,
    /// prctl(2) of RISC-V's vectors.
    VectorSetControl,
    VectorGetControl,
    /// prctl(2) of MIPS' two ways to have floating-point registers.
    SetFpMode,
    GetFpMode,
    /// prctl(2) of AArch64's vector length.
    SveSetLength,
    SveGetLength,
    /// What prctl(PR_SET_TAGGED_ADDR_CTRL) says of checks of tags: its word without the lowest bit. Not 0: what calls access is
    /// compared, too.
    SetTagChecks,
    GetTagChecks,
}

/// What swapcontext(2) keeps of a thread in a program's memory.
pub trait Contexts {
    /// How long a context is, in bytes.
    fn size(&self) -> u64;

    /// Where in it the mask of signals is.
    fn mask(&self) -> u64;

    /// Writes all but the mask.
    ///
    /// # Errors
    /// There is no memory there.
    fn put(&self, core: &mut dyn CpuCore, space: &AddressSpace, at: u64) -> Result<(), Efault>;

    /// Takes the registers back.
    ///
    /// # Errors
    /// They cannot be read.
    fn get(&self, core: &mut dyn CpuCore, space: &AddressSpace, at: u64) -> Result<(), Efault>;
}

/// See the module.
pub trait LinuxAbi: Send + Sync {
    /// What the list of guests calls it.
    fn name(&self) -> &'static str;

    /// Word size and byte order of data.
    fn abi(&self) -> GuestAbi;

    fn facts(&self) -> &'static Facts;

    /// AUDIT_ARCH_* (include/uapi/linux/audit.h): the ELF machine with bits for 64 bits and little-endian.
    fn audit_arch(&self) -> u32 {
        let abi = self.abi();
        let wide = u32::from(abi.word_bits == 64) << 31;
        u32::from(self.facts().machine) | wide | u32::from(!abi.big_endian) << 30
    }

    /// `COMPAT_UTS_MACHINE`: what uname(2) calls the machine for programs with the personality PER_LINUX32.
    fn compat_machine(&self) -> Option<&'static [u8]> {
        None
    }

    /// Debuggers take it that a watchpoint stops a program behind the access, not before it, as the processor has it
    /// (gdb: `have_nonsteppable_watchpoint` is not set for it).
    fn watches_behind(&self) -> bool {
        false
    }

    /// Hands a system call's result over: a value, or -errno. `second`: the further result of the few
    /// calls that have two in registers (pipe(2), getpid(2)), where the ABI has such.
    fn set_result(&self, regs: &mut dyn Regs, result: i64, second: Option<u64>);

    /// The address of the system-call instruction behind which the pc stands.
    fn call_address(&self, regs: &mut dyn Regs, behind: u64) -> u64;

    /// Gives a program that is about to begin what is random in its processor. `random` gives 16 bytes each time; they follow
    /// from a number that the user has given (`seeded`), or are the host's.
    ///
    /// # Errors
    /// The errno of the host's call.
    fn begin(
        &self,
        regs: &mut dyn Regs,
        random: &mut dyn FnMut() -> Result<[u8; 16], i32>,
        seeded: bool,
    ) -> Result<(), i32> {
        let _ = (regs, random, seeded);
        Ok(())
    }

    /// Gives a program the floating-point registers that its code takes for granted (`fp_abi` of struct mips_abiflags).
    fn begin_floats(&self, core: &mut dyn CpuCore, float_abi: u8) {
        let _ = (core, float_abi);
    }

    /// What prctl(2) said of the processor that the next program is to have; 0: nothing.
    fn kept(&self, regs: &mut dyn CpuCore) -> u64 {
        let _ = regs;
        0
    }

    /// Has a program begin with what [`LinuxAbi::kept`] said.
    fn take_kept(&self, regs: &mut dyn CpuCore, kept: u64) {
        let _ = (regs, kept);
    }

    /// Makes a call of its own.
    ///
    /// # Errors
    /// The errno that the program gets.
    fn own_call(
        &self,
        call: OwnCall,
        args: &[u64],
        core: &mut dyn CpuCore,
        space: &AddressSpace,
    ) -> Result<u64, i32> {
        let _ = (call, args, core, space);
        Err(libc::ENOSYS)
    }

    /// Sets the thread pointer of a thread that clone(2) makes.
    ///
    /// # Errors
    /// The errno of the clone.
    fn set_thread_pointer(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        value: u64,
    ) -> Result<(), i32> {
        let _ = space;
        core.set(self.facts().registers.tls, value);
        Ok(())
    }

    /// The system call that code in the kernel's part of the address space stands for, which a program has
    /// called: its number. The core is made to stand behind the call.
    fn kernel_code(&self, exit: Exit, core: &mut dyn CpuCore, space: &AddressSpace) -> Option<u64> {
        let _ = (exit, core, space);
        None
    }

    /// The code that calls sigreturn, for handlers without a restorer of their own; it goes to the
    /// start of a page. Empty: there is none, and no page.
    fn trampoline(&self) -> Vec<u8>;

    /// A vDSO beside the page with the trampoline, which is none then.
    fn vdso(&self) -> Option<&'static [u8]> {
        None
    }

    /// The clocks that an instruction of the vDSO reads on a core that knows it: where in its image the word is that says so,
    /// and what it says then. Zero, as in the image: its functions make system calls.
    fn clocks(&self) -> Option<(u64, u32)> {
        None
    }

    /// Writes the frame of a signal below `top` and makes the core start the handler.
    ///
    /// # Errors
    /// There is no memory for the frame.
    fn push_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        top: u64,
        context: &FrameContext<'_>,
    ) -> Result<(), Efault>;

    /// What a frame may take beyond the rules' AT_MINSIGSTKSZ on a processor with these features.
    fn frame_room(&self, features: &[String]) -> u64 {
        let _ = features;
        0
    }

    /// Bits of mmap(2)'s protections, beyond the usual ones, that a processor with these features knows.
    fn own_protections(&self, features: &[String]) -> i32 {
        let _ = features;
        0
    }

    /// Where a frame at the stack pointer has the mask that sigreturn puts back; `rt`: one of
    /// rt_sigreturn(2).
    fn frame_mask(&self, rt: bool) -> u64;

    /// Where the mask's second word is, in frames that have it elsewhere than behind the first.
    fn frame_mask_rest(&self, rt: bool) -> Option<u64> {
        let _ = rt;
        None
    }

    /// Takes the registers back from the frame at the stack pointer.
    ///
    /// # Errors
    /// The frame is bad, and the guest gets SIGSEGV.
    fn pop_frame(
        &self,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
        rt: bool,
    ) -> Result<Restored, Efault>;

    /// Contexts of swapcontext(2), where there is that call.
    fn contexts(&self) -> Option<&dyn Contexts> {
        None
    }

    /// Which floating-point exceptions stop the thread, as PR_GET_FPEXC gives it; None: the kernel does not say.
    fn float_exceptions(&self, regs: &mut dyn Regs) -> Option<u32> {
        let _ = regs;
        None
    }

    /// PR_SET_FPEXC. False: there is no such mode.
    fn set_float_exceptions(&self, regs: &mut dyn Regs, mode: u64) -> bool {
        let _ = (regs, mode);
        false
    }

    /// Tells the core whether misaligned accesses are made for the program ([`LinuxAbi::carry_out`]): it may do so itself.
    fn set_carries_out(&self, regs: &mut dyn Regs, on: bool) {
        let _ = (regs, on);
    }

    /// Carries out what stopped the core, where the kernel does that in the program's place: a misaligned
    /// access. The error is the signal if that fails; None: it is nothing of that kind.
    fn carry_out(
        &self,
        exit: Exit,
        core: &mut dyn CpuCore,
        space: &AddressSpace,
    ) -> Option<Result<(), FaultInfo>> {
        let _ = (exit, core, space);
        None
    }

    /// The signal for what stopped the core: a fault, an undefined instruction, a breakpoint.
    fn fault(&self, exit: Exit, core: &mut dyn CpuCore, space: &AddressSpace) -> FaultInfo;
}

#[cfg(test)]
pub(crate) mod tests;
