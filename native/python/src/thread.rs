//! `qusr._native.Thread`: the run loop, as Python sees it.

use super::stop::describe;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyTuple};
use qusr_kernel::signal::siginfo;

use super::cpu::{SystemRegister, unicorn_config};
use super::loader::PyPrepared;
use super::memory::os_error;
use super::native::tell;
use super::process::PyProcess;
use super::share;
use qusr_kernel::process::GuestThread;
use qusr_kernel::process::clone::{CloneRequest, Kind};
use qusr_kernel::process::whereabouts;
use qusr_kernel::signal::host;
use qusr_kernel::thunk::procfs::Opened;
use qusr_kernel::thunk::table::MAX_SLOTS;
use qusr_machine::facts::facts;
use qusr_translator as native;
use qusr_unicorn::{self as unicorn, AllStopped};

/// The wish that a thread's `run` come back.
#[pyclass(name = "Pause", module = "qusr._native", frozen)]
pub struct PyPause(Arc<AtomicBool>);

#[pymethods]
impl PyPause {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    /// It comes back before the next instruction, once. A bell has it notice.
    fn ask(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One guest thread.
#[pyclass(name = "Thread", module = "qusr._native")]
pub struct PyThread {
    pub(super) inner: GuestThread,
}

// SAFETY: every method takes `&mut self` or is over in an instant under the GIL; PyO3
// grants `&mut` to one thread at a time.
unsafe impl Sync for PyThread {}

impl From<GuestThread> for PyThread {
    fn from(inner: GuestThread) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl PyThread {
    /// A thread of a process without a program, for tests; the arguments are those of
    /// `qusr.cpu.unicorn.arguments`.
    #[new]
    fn new(
        process: &PyProcess,
        library: PathBuf,
        guest: &str,
        model: i32,
        system_registers: Vec<SystemRegister>,
        features: Vec<String>,
    ) -> PyResult<Self> {
        let config = unicorn_config(library, guest, model, system_registers, features)?;
        let core = unicorn::open(&config, process.inner.space.clone());
        Ok(Self {
            inner: GuestThread::new(process.inner.clone(), core.map_err(PyOSError::new_err)?),
        })
    }

    /// Runs guest code until Python has to decide something: a tuple whose first item
    /// says what ("syscall", "review", "trace", "enosys", "exit", "fault", "undefined",
    /// "breakpoint", "interrupted", "stop", "block", "watched", "written", "read").
    fn run<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let stop = py.detach(|| self.inner.run());
        describe(py, &stop)
    }

    /// Has `run` come back where `pause` says so.
    fn set_pause(&mut self, pause: &PyPause) {
        self.inner.pause = Arc::clone(&pause.0);
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

    /// The host path for a guest's path, the sysroot applied. OSError: the sysroot has no answer.
    fn resolve_path<'py>(
        &self,
        py: Python<'py>,
        dirfd: i32,
        path: &[u8],
        follow: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let found = self
            .inner
            .sysroot()
            .map_or(Ok(None), |root| root.resolve(dirfd, path, follow))
            .map_err(os_error)?;
        Ok(match found {
            Some(host) => PyBytes::new(py, host.as_bytes()),
            None => PyBytes::new(py, path),
        })
    }

    /// Puts the guest's file behind a descriptor that was opened, where the kernel's would tell of the
    /// emulator. True: Python has to. OSError: that failed, the descriptor is closed.
    fn review_fd(&self, fd: i32) -> PyResult<bool> {
        let opened = self.inner.process.review_fd(fd);
        let opened = opened.map_err(os_error)?;
        Ok(opened == Opened::Python)
    }

    /// Takes over changes of the process (sysroot, executable).
    fn refresh(&mut self) {
        self.inner.refresh();
    }

    /// Makes a child process. Returns the pid, 0 in the child, or -errno.
    fn fork(&mut self, request: &PyCloneRequest) -> i64 {
        let host = request.0.to_host(&self.inner.process);
        // SAFETY: the GIL is held; these bring Python's locks through the fork.
        unsafe { pyo3::ffi::PyOS_BeforeFork() };
        let mut stopped = AllStopped::new();
        let translator = native::stop_for_fork();
        let result = self.inner.fork(&host);
        drop(translator);
        self.inner.has_forked(&request.0, result);
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

    /// Makes a process that lives in this memory, and that `borrower` is the first thread of; `body(loan)` is what it does; it gives the end (`python/share.rs`, `End`).
    /// `after(in_order)` is called here when it is gone. -errno: it cannot be made.
    fn share<'py>(
        &mut self,
        py: Python<'py>,
        request: &PyCloneRequest,
        borrower: &Self,
        body: Py<PyAny>,
        after: Py<PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = request.0.to_host(&self.inner.process);
        match share::share(self, py, &request, borrower, body, after) {
            Ok(made) => Ok(Bound::new(py, made)?.into_any()),
            Err(errno) => Ok((-errno).into_pyobject(py)?.into_any()),
        }
    }

    /// As a vfork's parent: waits until a forked child has executed a program, or a process or thread is gone.
    fn wait_for_child(&mut self, py: Python<'_>, pid: i32) {
        py.detach(|| self.inner.wait_for_child(pid));
    }

    /// As a vfork's parent: waits until a child that lives in this memory execs or ends.
    fn wait_for_borrower(&mut self, py: Python<'_>, child: &share::PyMade) {
        py.detach(|| child.with(|made| self.inner.wait_for_borrower(made)));
    }

    /// The first thread of the process that a clone(2) with CLONE_VM and these flags makes.
    fn lend(&self, flags: u64) -> PyResult<Self> {
        let inner = self.inner.lend(flags).map_err(PyOSError::new_err)?;
        Ok(Self { inner })
    }

    /// The process that the thread belongs to.
    #[getter]
    fn process(&self) -> PyProcess {
        PyProcess {
            inner: self.inner.process.clone(),
        }
    }

    /// The thread that a clone asks for, with its registers, for `start`. OSError: it cannot be had.
    fn sibling(&self, request: &PyCloneRequest) -> PyResult<Self> {
        let made = self.inner.sibling(&request.0);
        let inner = made.map_err(|_| os_error(libc::EAGAIN))?;
        Ok(Self { inner })
    }

    /// Makes a host thread for `sibling`: it calls `enter(tid)` before either thread goes on, and `life()`. Gives the tid.
    /// OSError: there is no thread, and nothing was called.
    fn start(
        &mut self,
        py: Python<'_>,
        request: &PyCloneRequest,
        sibling: &Bound<'_, Self>,
        enter: Py<PyAny>,
        life: Py<PyAny>,
    ) -> PyResult<i32> {
        // It runs before this returns.
        let (request, seat) = (request.0, sibling.borrow().inner.seat());
        // Each is dropped with the interpreter's lock held: at once.
        let enter = Box::new(move |tid| {
            call(move |py| {
                let enter = enter;
                enter.call1(py, (tid,))
            });
        });
        let life = Box::new(move || {
            call(move |py| {
                let life = life;
                life.call0(py)
            });
        });
        let made = py.detach(|| self.inner.start(&request, seat, enter, life));
        made.map_err(os_error)
    }

    /// Blocks all host signals of the calling thread, until it runs a guest thread.
    #[staticmethod]
    fn block_signals() {
        host::set_mask(!0);
    }

    /// Makes the guest thread that of the calling host thread, with its signal mask.
    fn adopt(&mut self) {
        self.inner.adopt();
    }

    /// The guest thread ends: robust futexes, the tid word.
    fn ends(&mut self) {
        self.inner.thread_ends();
        self.inner.leave();
    }

    /// The calling host thread, whose this was, is no guest thread's any more. It may outlive this object.
    fn leave(&self) {
        self.inner.leave();
    }

    /// Before another program takes this process over (execve): see `GuestThread::leave_for_exec`.
    fn leave_for_exec(&mut self, shared: bool) -> u64 {
        self.inner.leave_for_exec(shared)
    }

    /// A real execve(2) of a host program, with the guest's signals. It comes back only to
    /// say -errno.
    fn exec_host(
        &mut self,
        py: Python<'_>,
        path: Vec<u8>,
        argv: Vec<Vec<u8>>,
        envp: Vec<Vec<u8>>,
    ) -> i64 {
        // Whoever else lives in this memory needs the interpreter.
        py.detach(|| self.inner.exec_host(path, argv, envp))
    }

    /// What a call to the handler `name` asks for. OSError: the kernel refuses it.
    fn clone_request(&self, name: &str, values: Vec<u64>) -> PyResult<PyCloneRequest> {
        match CloneRequest::read(&self.inner.process, name, &values) {
            Some(Ok(request)) => Ok(PyCloneRequest(request)),
            Some(Err(errno)) => Err(os_error(errno)),
            None => Err(PyValueError::new_err("no call that clones")),
        }
    }

    /// A host's siginfo_t in the layout of this thread's guest.
    fn siginfo_to_guest<'py>(
        &self,
        py: Python<'py>,
        host: [u8; siginfo::SIZE],
    ) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &siginfo::bytes_to_guest(&host, self.inner.signals.abi))
    }

    /// The program that a call to the handler `name` is to execute, and its environment; all that can fail
    /// is done. `exe` is the program that runs. OSError: why there is none.
    fn prepare_exec(
        &self,
        py: Python<'_>,
        name: &str,
        values: Vec<u64>,
        exe: &[u8],
    ) -> PyResult<(PyPrepared, Vec<Py<PyBytes>>)> {
        let machines = &facts().machines;
        let execve = match self.inner.prepare_exec(name, &values, exe, machines) {
            Some(Ok(execve)) => execve,
            Some(Err(errno)) => return Err(os_error(errno)),
            None => return Err(PyValueError::new_err("no call that executes")),
        };
        let envp = execve.envp.iter();
        let envp = envp.map(|entry| PyBytes::new(py, entry).unbind());
        Ok((PyPrepared::from(execve.prepared), envp.collect()))
    }

    /// Sets the registers of a thread that a clone has made.
    fn begin_clone(&mut self, request: &PyCloneRequest) {
        self.inner.begin_clone(&request.0);
    }

    /// In a forked child: what the kernel gives it anew, and its registers.
    fn begin_fork(&mut self, request: &PyCloneRequest) {
        self.inner.begin_fork(&request.0);
    }

    /// The guest's signals that are blocked, ignored and caught, as masks.
    fn signal_sets(&self) -> (u64, u64, u64) {
        self.inner.signal_sets()
    }

    /// The guest's text of a file of /proc/self whose own one is open as `fd`; None: it is made elsewhere.
    fn proc_text<'py>(&self, py: Python<'py>, name: &[u8], fd: i32) -> Option<Bound<'py, PyBytes>> {
        self.inner
            .proc_text(name, fd)
            .map(|text| PyBytes::new(py, &text))
    }

    /// The system call that the process's thread `tid` makes: number, arguments, sp and pc. None: it makes none.
    #[staticmethod]
    fn call_of(tid: i32) -> Option<(u64, [u64; MAX_SLOTS], u64, u64)> {
        whereabouts::call_of(tid)
    }

    /// PTRACE_TRACEME was called.
    fn become_tracee(&mut self) {
        self.inner.become_tracee();
    }

    /// The program is the one that an execve of a tracee has begun.
    fn has_executed(&mut self) {
        self.inner.has_executed();
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

    /// Takes over what an execve leaves alone of the thread that made it.
    fn inherit(&mut self, other: &mut Self) {
        self.inner.inherit(&other.inner.legacy());
    }

    /// Takes over the guest's signal mask of another thread, for an execve.
    fn take_mask(&mut self, other: &Self) {
        self.inner.signals.blocked = other.inner.signals.blocked;
    }

    /// Whether only this process can go on with the thread as it is: it is traced, has filters of
    /// seccomp(2), or makes its misaligned accesses itself (sysmips(2)).
    #[getter]
    fn is_bound(&self) -> bool {
        self.inner.is_bound()
    }

    /// Sets the guest's signal mask, on this host thread too.
    fn set_mask(&mut self, mask: u64) {
        self.inner.set_mask(mask);
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

    /// Whether calls that are not implemented stop with "enosys".
    #[setter]
    fn set_watch_enosys(&mut self, on: bool) {
        self.inner.watch_enosys = on;
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
        self.inner.set_register(id, value);
    }

    /// Executes the instruction that has stopped with "watched". None: it is done, or is to begin anew.
    fn access<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let stop = py.detach(|| self.inner.access());
        stop.map(|stop| describe(py, &stop)).transpose()
    }

    /// Whether the next instruction is executed without a look whether it is one to stop at: the thread has.
    #[getter]
    fn passes_stop(&self) -> bool {
        self.inner.passes_stop()
    }

    /// Has it executed so.
    fn pass_stop(&mut self) {
        self.inner.pass_stop();
    }
}

/// Calls Python in a thread that it has not made; a mistake in there is explained by `sys.unraisablehook`.
pub(super) fn call(function: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>>) {
    Python::attach(|py| {
        if let Err(error) = function(py) {
            error.write_unraisable(py, None);
        }
    });
}

/// What clone(2) and its like ask for, in guest terms.
#[pyclass(name = "CloneRequest", module = "qusr._native", frozen)]
pub struct PyCloneRequest(CloneRequest);

#[pymethods]
impl PyCloneRequest {
    /// "thread", "borrower" (a process in the caller's memory) or "fork".
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0.kind() {
            Kind::Thread => "thread",
            Kind::Borrower => "borrower",
            Kind::Fork => "fork",
        }
    }

    #[getter]
    fn flags(&self) -> u64 {
        self.0.flags
    }

    #[getter]
    fn parent_tid(&self) -> u64 {
        self.0.parent_tid
    }

    #[getter]
    fn child_tid(&self) -> u64 {
        self.0.child_tid
    }

    /// The PTRACE_EVENT that it is.
    #[getter]
    fn event(&self) -> u32 {
        self.0.event()
    }
}
