//! `qusr._native.Process` and `Thread`: the run loop, as Python sees it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyTuple};

use super::cpu::{IdRegister, unicorn_config};
use super::memory::PyAddressSpace;
use crate::abi::GuestAbi;
use crate::cpu::native::{self, LogItem, NativeConfig};
use crate::cpu::unicorn::AllStopped;
use crate::cpu::unicorn::UnicornConfig;
use crate::cpu::{Access, CpuCore, Exit, unicorn};
use crate::memory::AddressSpace;
use crate::process::child::{self, ForkRequest, delete_timers};
use crate::process::core_bit;
use crate::process::vfork::Gate;
use crate::process::{Facts, GuestRegs, GuestThread, Process, Stop};
use crate::shared::lock::SharedLock;
use crate::signal::host::{self, Mailbox};
use crate::signal::{Action, FrameKind, SIG_IGN, Seen, bit, siginfo};
use crate::thunk::exec::{OwnExe, Review};
use crate::thunk::path::{self, Sysroot};
use crate::thunk::table::{MAX_SLOTS, Table};

/// The declarations of an ABI, ready for use: parsed once, and used by each program after an execve.
#[pyclass(name = "Table", module = "qusr._native", frozen)]
pub struct PyTable {
    inner: Arc<Table>,
}

#[pymethods]
impl PyTable {
    #[new]
    fn new(data: &[u8]) -> PyResult<Self> {
        let inner = Arc::new(Table::parse(data).map_err(PyValueError::new_err)?);
        Ok(Self { inner })
    }
}

/// What the threads of one guest process share.
#[pyclass(name = "Process", module = "qusr._native", frozen)]
pub struct PyProcess {
    pub(super) inner: Arc<Process>,
}

#[pymethods]
impl PyProcess {
    /// `regs`: numbers of (call number, result, pc, sp, tls, status) and the argument
    /// registers; `thumb_bit` is the status bit that makes call instructions 2 bytes long.
    #[new]
    fn new(
        space: &PyAddressSpace,
        table: &PyTable,
        regs: (u32, u32, u32, u32, u32, u32),
        args: Vec<u32>,
        thumb_bit: u64,
        frame: &str,
    ) -> PyResult<Self> {
        let frame = match frame {
            "aarch64" => FrameKind::Aarch64,
            "arm" => FrameKind::Arm { be8: false },
            "arm-be8" => FrameKind::Arm { be8: true },
            _ => return Err(PyValueError::new_err(format!("no signal frame {frame}"))),
        };
        let table = Arc::clone(&table.inner);
        let mut slots = [u32::MAX; MAX_SLOTS];
        for (slot, id) in slots.iter_mut().zip(args) {
            *slot = id;
        }
        let (number, result, pc, sp, tls, status) = regs;
        let regs = GuestRegs {
            number,
            args: slots,
            result,
            pc,
            sp,
            tls,
            status,
            thumb_bit,
        };
        let inner = Process::new(space.space.clone(), table, regs, frame)
            .map_err(std::io::Error::from_raw_os_error)?;
        Ok(Self { inner })
    }

    /// The directory that stands for the guest's `/`; None takes it away.
    fn set_sysroot(&self, prefix: Option<&str>) -> PyResult<()> {
        let sysroot = prefix.map(Sysroot::new).transpose()?.map(Arc::new);
        *self.inner.sysroot.write().map_err(poisoned)? = sysroot;
        Ok(())
    }

    /// Takes the sysroot of the program that ran here before (execve).
    fn inherit_sysroot(&self, before: &Self) -> PyResult<()> {
        let sysroot = before.inner.sysroot.read().map_err(poisoned)?.clone();
        *self.inner.sysroot.write().map_err(poisoned)? = sysroot;
        Ok(())
    }

    /// The emulator's own executable: its path, st_dev and st_ino.
    fn set_own_exe(&self, path: Vec<u8>, dev: u64, ino: u64) -> PyResult<()> {
        *self.inner.own_exe.write().map_err(poisoned)? = Arc::new(OwnExe { path, dev, ino });
        Ok(())
    }

    /// Whether waits for children are Python's, because threads of this process trace others.
    fn set_tracing(&self, on: bool) {
        self.inner.marks.traces.store(on, Ordering::Relaxed);
    }

    /// Hands calls on the file (st_dev, st_ino), which stands for /proc/self/mem, to Python.
    fn add_memory_file(&self, dev: u64, ino: u64) {
        self.inner.marks.add_memory_file(dev, ino);
    }

    /// What a tracer may read of the program: its path as the guest calls it, its auxiliary vector,
    /// and the sysroot (or nothing).
    fn set_facts(&self, exe: Vec<u8>, auxv: Vec<u8>, root: Vec<u8>) -> PyResult<()> {
        *self.inner.facts.write().map_err(poisoned)? = Arc::new(Facts { exe, auxv, root });
        Ok(())
    }

    /// The process ends: who waits for a robust futex of its threads is told.
    fn give_up_robust_futexes(&self) {
        self.inner.give_up_all_robust_futexes();
    }

    /// Deaths of signals without a handler are to come to Python too.
    fn watch_deaths(&self) {
        host::watch_deaths();
        self.inner.actions.core_limit_changed();
    }

    /// RLIMIT_CORE may have changed: which deaths are ours to dump.
    fn core_limit_changed(&self) {
        self.inner.actions.core_limit_changed();
    }

    /// The name of a call in the thunk table.
    fn call_name(&self, number: u64) -> PyResult<Option<String>> {
        let table = self.inner.table.read().map_err(poisoned)?;
        Ok(table.get(number).map(|call| call.name.clone()))
    }
}

fn poisoned<T>(_: std::sync::PoisonError<T>) -> PyErr {
    PyRuntimeError::new_err("a thread of the emulator panicked")
}

/// The host path of what an absolute path names in the sysroot `root`; None when it is not there.
#[pyfunction]
pub fn lookup_in<'py>(
    py: Python<'py>,
    root: &[u8],
    path: &[u8],
    follow: bool,
) -> Option<Bound<'py, PyBytes>> {
    path::lookup_in(root, path, follow).map(|found| PyBytes::new(py, &found))
}

/// The open descriptors that an execve closes.
#[pyfunction]
pub fn close_on_exec() -> PyResult<Vec<i32>> {
    Ok(child::close_on_exec()?)
}

/// Why the native core cannot run a guest here; None if it can.
#[pyfunction]
pub fn native_refusal(guest: &str) -> Option<String> {
    native::supported(guest).err()
}

/// A native core with Unicorn behind it. `options` are words with commas between them:
/// `check`, `log-unimp`, and what `--opt` takes.
fn open_native(
    guest: &str,
    options: &str,
    unicorn: UnicornConfig,
    space: Arc<AddressSpace>,
    log: Option<Py<PyAny>>,
) -> PyResult<Box<dyn CpuCore>> {
    let (mut check, mut items, mut tuning) = (false, Vec::new(), Vec::new());
    for word in options.split(',') {
        match word {
            "check" => check = true,
            "log-in_asm" => items.push(LogItem::InAsm),
            "log-op" => items.push(LogItem::Op),
            "log-out_asm" => items.push(LogItem::OutAsm),
            "log-exec" => items.push(LogItem::Exec),
            "log-unimp" => items.push(LogItem::Unimp),
            other => tuning.push(other),
        }
    }
    let known = unicorn.id_registers.clone();
    let emulate: native::Emulate = Arc::new(move |code| {
        let insn = u32::from_le_bytes(*code.first_chunk()?);
        let (register, value) = unicorn::read_of_id_register(&known, insn)?;
        Some(native::Emulated {
            register,
            value,
            size: 4,
        })
    });
    let config = NativeConfig {
        guest: guest.to_owned(),
        options: native::Options::parse(&tuning.join(",")).map_err(PyValueError::new_err)?,
        check,
        log: (!items.is_empty()).then(|| {
            let sink: native::Log = Arc::new(move |item, text| match &log {
                Some(log) => tell(log, (log_name(item), text)),
                None => eprint!("{text}"),
            });
            (items, sink)
        }),
        emulate: Some(emulate),
        ..NativeConfig::default()
    };
    let behind = Arc::clone(&space);
    let fallback: native::Fallback = Arc::new(move || unicorn::open(&unicorn, behind.clone()));
    native::open(&config, space, Some(fallback)).map_err(PyOSError::new_err)
}

fn log_name(item: LogItem) -> &'static str {
    match item {
        LogItem::InAsm => "in_asm",
        LogItem::Op => "op",
        LogItem::OutAsm => "out_asm",
        LogItem::Exec => "exec",
        LogItem::Unimp => "unimp",
    }
}

/// Calls into Python for a log. A mistake there is shown, and does not stop the guest.
fn tell(log: &Py<PyAny>, args: impl for<'py> pyo3::call::PyCallArgs<'py>) {
    Python::attach(|py| {
        if let Err(error) = log.call1(py, args) {
            error.write_unraisable(py, None);
        }
    });
}

/// One guest thread.
#[pyclass(name = "Thread", module = "qusr._native")]
pub struct PyThread {
    inner: GuestThread,
}

// SAFETY: every method takes `&mut self` or is over in an instant under the GIL; PyO3
// grants `&mut` to one thread at a time.
unsafe impl Sync for PyThread {}

#[pymethods]
impl PyThread {
    /// A thread; the arguments are those of `qusr.cpu.unicorn.arguments`. With `native` (its
    /// options, see [`native_config`]) it runs on the native core, and Unicorn is
    /// only opened for an instruction that this has no lifter for.
    #[new]
    #[pyo3(signature = (process, library, guest, model, id_registers, native = None, log = None))]
    fn new(
        process: &PyProcess,
        library: PathBuf,
        guest: &str,
        model: i32,
        id_registers: Vec<IdRegister>,
        native: Option<&str>,
        log: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let config = unicorn_config(library, guest, model, id_registers)?;
        let space = process.inner.space.clone();
        let core = match native {
            None => unicorn::open(&config, space).map_err(PyOSError::new_err)?,
            Some(options) => open_native(guest, options, config, space, log)?,
        };
        Ok(Self {
            inner: GuestThread::new(process.inner.clone(), core),
        })
    }

    /// Runs guest code until Python has to decide something: a tuple whose first item
    /// says what ("syscall", "review", "trace", "enosys", "exit", "fault", "undefined",
    /// "breakpoint", "interrupted").
    fn run<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let stop = py.detach(|| self.inner.run());
        describe(py, &stop)
    }

    /// Executes one instruction; "interrupted" means that it is simply done.
    fn step<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let stop = py.detach(|| self.inner.step());
        describe(py, &stop)
    }

    /// Makes the call that stopped for tracing. None: it is done.
    fn make_call<'py>(
        &mut self,
        py: Python<'py>,
        number: u64,
        args: [u64; MAX_SLOTS],
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let stop = py.detach(|| self.inner.make_call(number, &args));
        stop.map(|stop| describe(py, &stop)).transpose()
    }

    /// Gives the guest the result (or -errno) of a call that Python decided.
    fn finish_call(&mut self, result: i64) {
        self.inner.finish_call(result);
    }

    /// Puts the pc back onto the call instruction: the call will be made again.
    fn restart_call(&mut self) {
        self.inner.rewind();
    }

    /// (call number, argument registers) at a stop for a call.
    fn call_registers(&mut self) -> (u64, [u64; MAX_SLOTS]) {
        self.inner.call_registers()
    }

    /// Makes a host system call: integers are passed as they are, bytes by address, and a
    /// bytearray by address of a copy that is copied back. -512 means that a guest signal
    /// waits and the call was not made.
    fn host_call(
        &mut self,
        py: Python<'_>,
        number: u16,
        args: &Bound<'_, PyTuple>,
    ) -> PyResult<i64> {
        let mut values = [0u64; 6];
        let mut buffers: Vec<(usize, Vec<u8>)> = Vec::new();
        if args.len() > values.len() {
            return Err(PyValueError::new_err(
                "a system call has six arguments at most",
            ));
        }
        for (index, arg) in args.iter().enumerate() {
            if let Ok(bytes) = arg.cast::<PyBytes>() {
                let mut copy = bytes.as_bytes().to_vec();
                // Callers pass strings and structs; a terminator makes strings whole.
                copy.push(0);
                buffers.push((index, copy));
            } else if let Ok(bytes) = arg.cast::<PyByteArray>() {
                buffers.push((index, bytes.to_vec()));
            } else if let Ok(value) = arg.extract::<i64>() {
                values[index] = value as u64;
            } else {
                values[index] = arg.extract::<u64>()?;
            }
        }
        for (index, buffer) in &mut buffers {
            values[*index] = buffer.as_mut_ptr() as u64;
        }
        let result = py.detach(|| self.inner.host_call(number, &values));
        for (index, buffer) in &buffers {
            if let Ok(bytes) = args.get_item(*index)?.cast::<PyByteArray>() {
                for (at, byte) in buffer.iter().enumerate() {
                    bytes.set_item(at, *byte)?;
                }
            }
        }
        Ok(result)
    }

    /// The host path for a guest's path, the sysroot applied.
    fn resolve_path<'py>(
        &self,
        py: Python<'py>,
        dirfd: i32,
        path: &[u8],
        follow: bool,
    ) -> Bound<'py, PyBytes> {
        match self
            .inner
            .sysroot()
            .and_then(|root| root.resolve(dirfd, path, follow))
        {
            Some(host) => PyBytes::new(py, host.as_bytes()),
            None => PyBytes::new(py, path),
        }
    }

    /// Takes over changes of the process (sysroot, executable).
    fn refresh(&mut self) {
        self.inner.refresh();
    }

    /// Makes a child process; see `process::child::ForkRequest` for the numbers. Returns
    /// the pid, 0 in the child, or -errno.
    fn fork(&mut self, request: [u64; 8]) -> i64 {
        let [
            flags,
            exit_signal,
            pidfd,
            parent_tid,
            child_tid,
            set_tid,
            set_tid_size,
            cgroup,
        ] = request;
        let request = ForkRequest {
            flags,
            exit_signal,
            pidfd,
            parent_tid,
            child_tid,
            set_tid,
            set_tid_size,
            cgroup,
        };
        // SAFETY: the GIL is held; these bring Python's locks through the fork.
        unsafe { pyo3::ffi::PyOS_BeforeFork() };
        let mut stopped = AllStopped::new();
        let translator = native::stop_for_fork();
        let result = self.inner.fork(&request);
        drop(translator);
        if result == 0 {
            stopped.after_fork_in_child();
        }
        drop(stopped);
        if result == 0 {
            // SAFETY: as above, in the child.
            unsafe { pyo3::ffi::PyOS_AfterFork_Child() };
        } else {
            // SAFETY: as above, in the parent.
            unsafe { pyo3::ffi::PyOS_AfterFork_Parent() };
        }
        result
    }

    /// A thread with the same registers, for clone(2).
    fn duplicate(&self) -> PyResult<Self> {
        let inner = self.inner.duplicate().map_err(PyOSError::new_err)?;
        Ok(Self { inner })
    }

    /// Blocks all host signals of the calling thread, until it runs a guest thread.
    #[staticmethod]
    fn block_signals() {
        host::set_mask(!0);
    }

    /// Makes the guest thread that of the calling host thread, with its signal mask.
    fn adopt(&mut self) {
        self.inner.process.actions.take_back();
        self.inner.signals.mailbox.attach();
        host::set_mask(self.inner.signals.blocked);
    }

    /// The guest thread ends: robust futexes, the tid word.
    fn ends(&mut self) {
        self.inner.thread_ends();
        host::set_mask(!0);
        Mailbox::detach();
    }

    /// Gives a vfork's parent what was written here; see `give_back_memory`.
    fn give_back_memory(&self, parent: i32, only: Vec<u64>) {
        self.inner.give_back_memory(parent, &only);
    }

    /// Before another program takes this process over (execve): handlers and timers go,
    /// and the thread lets go of its mailbox. Gives the guest's signal mask.
    fn leave_for_exec(&mut self) -> u64 {
        let process = &self.inner.process;
        process.give_up_all_robust_futexes();
        process.actions.reset_for_exec();
        delete_timers();
        child::reset_credentials();
        if self.inner.signals.mailbox.waits() {
            self.inner.signals.mailbox.send_again();
        }
        Mailbox::detach();
        host::set_mask(self.inner.signals.blocked);
        self.inner.signals.blocked
    }

    /// A real execve(2) of a host program, with the guest's signals. It comes back only to
    /// say -errno.
    fn exec_host(&mut self, path: Vec<u8>, argv: Vec<Vec<u8>>, envp: Vec<Vec<u8>>) -> i64 {
        self.inner.exec_host(path, argv, envp)
    }

    /// In a forked child: `clear` is CLONE_CLEAR_SIGHAND's, handlers become SIG_DFL.
    fn reset_after_fork(&mut self, clear: bool) {
        self.inner.clear_child_tid = 0;
        self.inner.process.seccomp.only(&self.inner.seccomp);
        if clear {
            self.inner.process.actions.reset_for_exec();
        }
    }

    /// The guest's signals that are blocked, ignored and caught, as masks.
    fn signal_sets(&self) -> (u64, u64, u64) {
        let signals = &self.inner.signals;
        signals.actions.with(|table| {
            let set = |wanted: fn(&Action) -> bool| {
                (1..).zip(table.iter()).fold(0, |mask, (signal, action)| {
                    mask | if wanted(action) { bit(signal) } else { 0 }
                })
            };
            let ignored = set(|action| action.handler == SIG_IGN);
            (signals.blocked, ignored, set(Action::has_handler))
        })
    }

    /// PTRACE_TRACEME was called.
    fn become_tracee(&mut self) {
        self.inner.become_tracee();
    }

    /// Takes over from `old`, whose program an execve has replaced by ours, that it is traced.
    fn follow_exec(&mut self, old: &mut Self) {
        self.inner.follow_exec(&mut old.inner);
    }

    /// Says which PTRACE_EVENT the clone is that is about to be made.
    fn announce_clone(&mut self, event: u32) {
        self.inner.announce_clone(event);
    }

    /// Stops for a PTRACE_EVENT if a tracer wants to know of it.
    fn trace_event(&mut self, py: Python<'_>, event: u32, message: u64) {
        py.detach(|| self.inner.trace_event(event, message));
    }

    /// Takes the seccomp state of the thread over that made an execve.
    fn inherit_seccomp(&self, other: &Self) {
        self.inner.seccomp.inherit(&other.inner.seccomp);
    }

    /// Sets the guest's signal mask, on this host thread too.
    fn set_mask(&mut self, mask: u64) {
        self.inner.signals.blocked = mask;
        self.inner.signals.mailbox.attach();
        host::set_mask(mask);
    }

    /// The address where set_tid_address(2) wants a zero.
    #[setter]
    fn set_clear_child_tid(&mut self, address: u64) {
        self.inner.clear_child_tid = address;
    }

    /// Whether every system call stops with "trace".
    #[setter]
    fn set_trace(&mut self, on: bool) {
        self.inner.trace = on;
    }

    /// Has `watcher(pc, size, registers)` called before each block of guest code in `ranges`
    /// (first and last address), with the registers of these numbers; with `once`, only the first
    /// time. To be called before the first run. False: the core has logs of its own.
    fn watch_blocks(
        &mut self,
        watcher: Py<PyAny>,
        numbers: Vec<u32>,
        once: bool,
        ranges: Option<Vec<(u64, u64)>>,
    ) -> bool {
        let met = Mutex::new(HashSet::new());
        self.inner
            .core
            .watch_blocks(Arc::new(move |regs, pc, size| {
                let wanted = ranges.as_ref().is_none_or(|ranges| {
                    let inside = |&(first, last): &(u64, u64)| (first..=last).contains(&pc);
                    ranges.iter().any(inside)
                });
                let new = !once || met.lock().is_ok_and(|mut met| met.insert((pc, size)));
                if wanted && new {
                    let values: Vec<u128> = numbers.iter().map(|&id| regs.get_wide(id)).collect();
                    tell(&watcher, (pc, size, values));
                }
            }))
    }

    /// Whether every delivered signal stops with "signal".
    #[setter]
    fn set_watch_signals(&mut self, on: bool) {
        self.inner.signals.watch = on;
    }

    /// Reads a register by its number.
    fn reg(&mut self, id: u32) -> u128 {
        self.inner.core.get_wide(id)
    }

    /// Writes a register by its number.
    fn set_reg(&mut self, id: u32, value: u128) {
        self.inner.core.set_wide(id, value);
    }
}

/// See [`Gate`].
#[pyclass(name = "VforkGate", module = "qusr._native", frozen)]
pub struct PyGate(Gate);

#[pymethods]
impl PyGate {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(Gate::new()?))
    }

    /// In the child: its death opens the gate from now on.
    fn guard(&self) {
        self.0.guard();
    }

    /// In the child: it execs or exits.
    fn open(&self) {
        self.0.open();
    }

    /// In the parent: waits for the child.
    fn wait(&self, py: Python<'_>, child: i32) {
        py.detach(|| self.0.wait(child));
    }
}

/// A lock that threads and forked children share, as a context manager.
#[pyclass(name = "SharedLock", frozen)]
pub struct PySharedLock(SharedLock);

#[pymethods]
impl PySharedLock {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(SharedLock::new()?))
    }

    fn __enter__(&self, py: Python<'_>) {
        if self.0.try_acquire(false).is_err() {
            // The owner may need the interpreter to go on.
            py.detach(|| self.0.acquire());
        }
    }

    #[pyo3(signature = (*_args))]
    fn __exit__(&self, _args: &Bound<'_, PyTuple>) {
        self.0.release();
    }
}

/// Makes a guest thread of this process end soon.
#[pyfunction]
pub fn doom_thread(tid: i32) {
    host::doom(tid);
}

/// A host's siginfo_t in the layout of a guest.
#[pyfunction]
pub fn siginfo_to_guest<'py>(
    py: Python<'py>,
    host: [u8; siginfo::SIZE],
    word_bits: u8,
    big_endian: bool,
) -> Bound<'py, PyBytes> {
    let abi = GuestAbi {
        word_bits,
        big_endian,
    };
    PyBytes::new(py, &siginfo::bytes_to_guest(&host, abi))
}

/// The errno with which the kernel would refuse to execute an open file; 0 if it would not. EINVAL:
/// it cannot be asked.
#[pyfunction]
pub fn check_exec(fd: i32) -> i32 {
    child::check_exec(fd)
}

/// Ends CLONE_FILES: the descriptors are this process's alone from now on.
#[pyfunction]
pub fn unshare_files() {
    // SAFETY: touches no memory.
    unsafe { libc::unshare(libc::CLONE_FILES) };
}

/// Dies of `signal` as a guest did.
#[pyfunction]
pub fn die_by(signal: i32) {
    host::die_by(signal);
}

/// Dies likewise after the guest's core was written; `name` is what core_pattern gives.
#[pyfunction]
pub fn die_dumped(signal: i32, name: &[u8]) {
    core_bit::die_dumped(signal, name);
}

/// Whether prctl(2) lets the process be dumped.
#[pyfunction]
pub fn is_dumpable() -> bool {
    core_bit::is_dumpable()
}

/// Names the calling thread and tells the kernel where the guest's arguments and environment
/// lie (host addresses). False: the kernel does not want to know, which does no harm.
#[pyfunction]
pub fn publish(comm: Vec<u8>, arg: (u64, u64), env: (u64, u64)) -> bool {
    child::set_thread_name(&comm);
    child::publish_arguments(arg, env)
}

fn describe<'py>(py: Python<'py>, stop: &Stop) -> PyResult<Bound<'py, PyTuple>> {
    match *stop {
        Stop::Syscall {
            ref handler,
            ref scalars,
        } => {
            let args = PyTuple::new(
                py,
                scalars.values[..scalars.count]
                    .iter()
                    .enumerate()
                    .map(|(index, value)| {
                        if scalars.signed >> index & 1 != 0 {
                            i128::from(*value as i64)
                        } else {
                            i128::from(*value)
                        }
                    }),
            )?;
            ("syscall", handler.as_ref(), args).into_pyobject(py)
        }
        Stop::Review {
            number,
            review,
            result,
        } => {
            let kind = match review {
                Review::ProcFd => "fd",
                Review::ExeLink => "exelink",
                Review::ExeStat => "exestat",
                Review::MemoryFile => "memory",
                Review::Tracer => "tracer",
            };
            ("review", number, kind, result).into_pyobject(py)
        }
        Stop::Trace { number, args } => {
            ("trace", number, PyTuple::new(py, args)?).into_pyobject(py)
        }
        Stop::Enosys { number } => ("enosys", number).into_pyobject(py),
        Stop::Exited { status, whole } => ("exit", status, whole).into_pyobject(py),
        Stop::Doomed => ("doomed",).into_pyobject(py),
        Stop::Killed { ref signal } => {
            ("killed", signal.0, PyBytes::new(py, &signal.1)).into_pyobject(py)
        }
        Stop::Signal {
            ref seen,
            ref killed,
        } => {
            let pair = |signal: &Seen| (signal.0, PyBytes::new(py, &signal.1));
            let (number, info) = pair(seen);
            ("signal", number, info, killed.as_ref().map(pair)).into_pyobject(py)
        }
        Stop::Core(exit) => match exit {
            Exit::Fault {
                addr,
                access,
                mapped,
                bus,
                align,
            } => {
                let access = match access {
                    Access::Read => "read",
                    Access::Write => "write",
                    Access::Fetch => "fetch",
                };
                ("fault", addr, access, mapped, bus, align).into_pyobject(py)
            }
            Exit::Undefined => ("undefined",).into_pyobject(py),
            Exit::Breakpoint { imm } => ("breakpoint", imm).into_pyobject(py),
            Exit::Interrupted | Exit::Syscall { .. } => ("interrupted",).into_pyobject(py),
        },
    }
}
