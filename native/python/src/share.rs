//! `Thread.share`: clone(2) with CLONE_VM, as Python sees it.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::thread::PyThread;
use qusr_kernel::process::aside;
use qusr_kernel::process::child::{Execution, ForkRequest};
use qusr_kernel::process::share::{self, Child, Life, Made};
use qusr_kernel::signal::host;
use qusr_machine::start::vfork::Slot;

/// A child that lives in this memory, for its parent.
#[pyclass(name = "Borrower", module = "qusr._native", frozen)]
pub struct PyMade {
    made: Mutex<Option<Made>>,
    #[pyo3(get)]
    pid: i32,
}

#[pymethods]
impl PyMade {
    /// Lets the child begin, and waits until it has.
    fn begin(&self, py: Python<'_>) {
        py.detach(|| self.with(Made::begin));
    }

    /// Nothing more is asked of it.
    fn leave(&self) {
        drop(self.lock().take());
    }
}

impl PyMade {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with(&self, what: impl FnOnce(&Made)) {
        if let Some(made) = &*self.lock() {
            what(made);
        }
    }
}

/// The child's side of it.
#[pyclass(name = "Loan", module = "qusr._native", frozen)]
pub struct PyLoan(Child);

#[pymethods]
impl PyLoan {
    /// What the parent's memory is to hold when its clone returns is there.
    fn has_begun(&self) {
        self.0.has_begun();
    }

    /// A vfork's parent may go on, though the child stays in the memory.
    fn release_parent(&self) {
        self.0.release_parent();
    }
}

/// How a child leaves the memory.
enum End {
    Exit(i32),
    Killed(i32),
    Exec(Exec),
}

/// An execve, and what gives the next end if it fails.
struct Exec {
    execution: Execution,
    failed: Py<PyAny>,
}

impl End {
    /// ("exit", status), ("killed", signal), or ("exec", thread, path, argv, envp, failed), where
    /// `failed(errno)` gives the next end.
    fn of(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        let given = given.cast::<PyTuple>()?;
        let kind: String = given.get_item(0)?.extract()?;
        let number = || given.get_item(1)?.extract();
        Ok(match &*kind {
            "exit" => Self::Exit(number()?),
            "killed" => Self::Killed(number()?),
            _ => {
                let thread = given.get_item(1)?;
                let thread = thread.cast::<PyThread>()?.borrow();
                let execution = thread.inner.execution(
                    given.get_item(2)?.extract()?,
                    given.get_item(3)?.extract()?,
                    given.get_item(4)?.extract()?,
                );
                let failed = given.get_item(5)?.unbind();
                Self::Exec(Exec { execution, failed })
            }
        })
    }
}

/// Calls Python for the next end; a mistake in there has been explained, and ends the child.
fn ask(call: impl FnOnce(Python<'_>) -> PyResult<End>) -> End {
    Python::attach(|py| {
        call(py).unwrap_or_else(|error| {
            error.print(py);
            End::Exit(70)
        })
    })
}

/// The child's life: `body(loan)` gives its end.
struct PyLife {
    body: Option<Py<PyAny>>,
    /// The execve under way.
    exec: Option<Exec>,
}

impl PyLife {
    fn new(body: Py<PyAny>) -> Box<Self> {
        let body = Some(body);
        Box::new(Self { body, exec: None })
    }

    /// Makes the execve, and asks for the next end when it has failed.
    fn execute(&mut self, child: &Child, exec: Exec) -> End {
        let exec = self.exec.insert(exec);
        child.is_in_order(true);
        let errno = -exec.execution.run();
        child.is_in_order(false);
        let exec = self.exec.take();
        ask(|py| match exec {
            Some(exec) => End::of(&exec.failed.bind(py).call1((errno,))?),
            None => Ok(End::Exit(libc::EXIT_FAILURE)),
        })
    }
}

impl Life for PyLife {
    fn live(&mut self, child: &Child) {
        let (loan, body) = (child.clone(), self.body.take());
        let mut end = ask(|py| match body {
            Some(body) => End::of(&body.bind(py).call1((PyLoan(loan),))?),
            None => Ok(End::Exit(libc::EXIT_FAILURE)),
        });
        loop {
            match end {
                End::Exit(status) => {
                    child.is_in_order(true);
                    aside::be_alone();
                    // SAFETY: ends the process; nothing of ours is to be done before.
                    unsafe { libc::_exit(status & 0xff) }
                }
                End::Killed(signal) => {
                    child.is_in_order(true);
                    aside::be_alone();
                    host::die_beside_others(signal)
                }
                End::Exec(exec) => end = self.execute(child, exec),
            }
        }
    }
}

impl Drop for PyLife {
    fn drop(&mut self) {
        if self.body.is_some() || self.exec.is_some() {
            Python::attach(|_| (self.body.take(), self.exec.take()));
        }
    }
}

/// Takes back what a child held that was killed without warning: the interpreter's lock.
fn take_back() {
    unsafe extern "C" {
        // Every CPython exports it, though the limited API does not name it (Include/cpython/pystate.h).
        fn PyGILState_Check() -> libc::c_int;
    }
    // SAFETY: the donor has the dead child's thread-local variables, by which Python knows whether that
    // thread state is the current one.
    unsafe {
        if PyGILState_Check() == 1 {
            pyo3::ffi::PyEval_SaveThread();
        }
    }
}

/// The child goes on where a start without Python has left it: `body(loan)` is its life from now on, and
/// `after(in_order)` is called when it is gone.
pub(super) fn take_over(slot: &Slot, body: Py<PyAny>, after: Py<PyAny>) {
    slot.go_on(
        PyLife::new(body),
        Box::new(move |in_order| end(in_order, move || tell(after, in_order))),
    );
}

/// The child's parent, for Python.
pub(super) fn made(made: Made) -> PyMade {
    PyMade {
        pid: made.pid,
        made: Mutex::new(Some(made)),
    }
}

fn tell(after: Py<PyAny>, in_order: bool) {
    Python::attach(|py| {
        if let Err(error) = after.call1(py, (in_order,)) {
            error.print(py);
        }
        drop(after);
    });
}

/// Cleans up behind a child that is gone.
fn end(in_order: bool, clean_up: impl FnOnce() + Send + 'static) {
    if in_order {
        clean_up();
    } else {
        take_back();
        // With thread-local variables that nobody has left half changed.
        let cleaner = std::thread::spawn(clean_up);
        let _ = cleaner.join();
    }
}

pub(super) fn share(
    thread: &mut PyThread,
    py: Python<'_>,
    request: &ForkRequest,
    borrower: &PyThread,
    body: Py<PyAny>,
    after: Py<PyAny>,
) -> Result<PyMade, i32> {
    let process = borrower.inner.process.clone();
    let word = borrower.inner.clear_child_tid.clone();
    let owner = process.clone();
    let clean_up = move |in_order| {
        owner.child_is_gone(&word);
        tell(after, in_order);
    };
    let made = py.detach(|| {
        thread.inner.share(
            request,
            &process,
            PyLife::new(body),
            Box::new(move |in_order| end(in_order, move || clean_up(in_order))),
        )
    })?;
    Ok(self::made(made))
}

/// Ends this process, whose memory others live in, without the interpreter's lock: by `signal`, or with
/// `status`.
#[pyfunction]
pub fn leave_memory(py: Python<'_>, status: i32, signal: Option<i32>) {
    py.detach(|| {
        aside::be_alone();
        if let Some(signal) = signal {
            host::die_beside_others(signal);
        }
        // SAFETY: ends the process; nothing of ours is to be done before.
        unsafe { libc::_exit(status & 0xff) }
    });
}

/// Whether other processes live in this memory.
#[pyfunction]
pub fn memory_is_shared() -> bool {
    share::is_shared()
}
