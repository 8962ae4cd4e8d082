//! One guest thread: the loop that runs guest code and makes its system calls.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::{Process, shared};
use crate::cpu::{CpuCore, Exit, Flow, Regs};
use crate::thunk::exec::{Args, Env, Outcome, OwnExe, Review, Scalars};
use crate::thunk::host::safe_syscall;
use crate::thunk::path::Sysroot;
use crate::thunk::scratch::Scratch;
use crate::thunk::table::Table;

/// Why the loop stopped, for Python to decide.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// A call with a Python handler; [`GuestThread::finish_call`] gives its result.
    Syscall { handler: Arc<str>, scalars: Scalars },
    /// A call that was made, to be looked at again; finished likewise.
    Review {
        number: u64,
        review: Review,
        result: i64,
    },
    /// Before every call, when tracing: [`GuestThread::make_call`] makes it.
    Trace { number: u64, args: Args },
    /// Not implemented: the guest gets ENOSYS unless Python does better.
    Enosys { number: u64 },
    /// The guest asked to exit; `whole` for exit_group.
    Exited { status: i32, whole: bool },
    /// The core stopped for another reason than a call.
    Core(Exit),
}

/// What the system-call callback needs; kept apart from the core, which it is lent to.
struct Caller {
    table: Arc<Table>,
    sysroot: Option<Arc<Sysroot>>,
    own_exe: Arc<OwnExe>,
    scratch: Scratch,
    pending: Arc<AtomicU32>,
}

/// A guest thread.
pub struct GuestThread {
    pub process: Arc<Process>,
    pub core: Box<dyn CpuCore>,
    caller: Caller,
    /// Stop before each system call ([`Stop::Trace`]).
    pub trace: bool,
}

impl GuestThread {
    /// A thread that will run on `core`.
    #[must_use]
    pub fn new(process: Arc<Process>, core: Box<dyn CpuCore>) -> Self {
        let caller = Caller {
            table: shared(&process.table),
            sysroot: shared(&process.sysroot),
            own_exe: shared(&process.own_exe),
            scratch: Scratch::default(),
            pending: Arc::new(AtomicU32::new(0)),
        };
        Self {
            process,
            core,
            caller,
            trace: false,
        }
    }

    /// Takes over what Python changed in the process (sysroot, thunk table).
    pub fn refresh(&mut self) {
        self.caller.table = shared(&self.process.table);
        self.caller.sysroot = shared(&self.process.sysroot);
        self.caller.own_exe = shared(&self.process.own_exe);
    }

    /// Runs until Python has to decide something.
    pub fn run(&mut self) -> Stop {
        loop {
            let mut left = None;
            let exit = {
                let (process, caller) = (&self.process, &mut self.caller);
                let trace = self.trace;
                self.core.run(&mut |regs, _| {
                    if trace {
                        return Flow::Leave;
                    }
                    let (number, args) = call_registers(process, regs);
                    match caller.call(process, number, &args) {
                        Outcome::Done(result) => {
                            set_result(process, regs, result);
                            Flow::Continue
                        }
                        other => {
                            left = Some((number, args, other));
                            Flow::Leave
                        }
                    }
                })
            };
            let stop = match (exit, left) {
                (Exit::Syscall { .. }, Some((number, args, outcome))) => {
                    self.settle(number, &args, outcome)
                }
                (Exit::Syscall { .. }, None) => {
                    let (number, args) = call_registers(&self.process, self.core.as_mut());
                    if self.trace {
                        Some(Stop::Trace { number, args })
                    } else {
                        let outcome = self.caller.call(&self.process, number, &args);
                        self.settle(number, &args, outcome)
                    }
                }
                (Exit::Interrupted, _) => Some(Stop::Core(Exit::Interrupted)),
                (exit, _) => Some(Stop::Core(exit)),
            };
            if let Some(stop) = stop {
                return stop;
            }
        }
    }

    /// Executes one instruction; a system call stops like [`GuestThread::run`] does.
    pub fn step(&mut self) -> Stop {
        match self.core.step() {
            Exit::Syscall { .. } => {
                let (number, args) = call_registers(&self.process, self.core.as_mut());
                if self.trace {
                    return Stop::Trace { number, args };
                }
                let outcome = self.caller.call(&self.process, number, &args);
                self.settle(number, &args, outcome)
                    .unwrap_or(Stop::Core(Exit::Interrupted))
            }
            exit => Stop::Core(exit),
        }
    }

    /// Makes the traced call. None: done, its result is in the registers.
    pub fn make_call(&mut self, number: u64, args: &Args) -> Option<Stop> {
        let outcome = self.caller.call(&self.process, number, args);
        self.settle(number, args, outcome)
    }

    /// Gives the guest the result (or -errno) of the call that Python decided.
    pub fn finish_call(&mut self, result: i64) {
        set_result(&self.process, self.core.as_mut(), result);
    }

    fn settle(&mut self, number: u64, args: &Args, outcome: Outcome) -> Option<Stop> {
        match outcome {
            Outcome::Done(result) => {
                self.finish_call(result);
                None
            }
            Outcome::Restart => {
                self.rewind();
                Some(Stop::Core(Exit::Interrupted))
            }
            Outcome::Builtin(id, scalars) => self.builtin(id, &scalars, args),
            Outcome::Python(handler, scalars) => Some(Stop::Syscall { handler, scalars }),
            Outcome::Review(review, result) => {
                Some(Stop::Review {
                    number,
                    review,
                    result,
                })
            }
            Outcome::Enosys => {
                Some(Stop::Enosys { number })
            }
        }
    }

    /// The call number and argument registers.
    pub fn call_registers(&mut self) -> (u64, Args) {
        call_registers(&self.process, self.core.as_mut())
    }

    /// Makes a host call on behalf of a Python handler; -ERESTARTSYS when a signal waits.
    pub fn host_call(&mut self, number: u16, args: &[u64; 6]) -> i64 {
        // SAFETY: handlers pass guest memory or buffers that they hold during the call.
        unsafe { safe_syscall(&self.caller.pending, number, args) }
    }

    /// Sets the pc back onto the system-call instruction.
    pub fn rewind(&mut self) {
        let regs = &self.process.regs;
        let thumb = self.core.get(regs.status) & regs.thumb_bit != 0;
        let pc = self.core.get(regs.pc);
        self.core.set(regs.pc, pc - if thumb { 2 } else { 4 });
    }

    /// Tells the sysroot that the current directory changed.
    pub(super) fn directory_changed(&self) {
        if let Some(sysroot) = &self.caller.sysroot {
            sysroot.directory_changed();
        }
    }

    /// The sysroot, if there is one.
    #[must_use]
    pub fn sysroot(&self) -> Option<&Sysroot> {
        self.caller.sysroot.as_deref()
    }
}

impl Caller {
    fn call(&mut self, process: &Process, number: u64, args: &Args) -> Outcome {
        let Some(call) = self.table.get(number) else {
            return Outcome::Enosys;
        };
        let env = Env {
            table: &self.table,
            space: &process.space,
            sysroot: self.sysroot.as_deref(),
            own_exe: &self.own_exe,
            pending: &self.pending,
        };
        env.call(&call.node, args, &mut self.scratch)
    }
}

fn call_registers(process: &Process, regs: &mut dyn Regs) -> (u64, Args) {
    let map = &process.regs;
    (
        regs.get(map.number),
        map.args
            .map(|id| if id == u32::MAX { 0 } else { regs.get(id) }),
    )
}

fn set_result(process: &Process, regs: &mut dyn Regs, result: i64) {
    regs.set(process.regs.result, result as u64);
}
