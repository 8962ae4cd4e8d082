//! Why a thread stopped, for Python.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use qusr_cpu::Exit;
use qusr_kernel::process::Stop;
use qusr_kernel::signal::Seen;
use qusr_kernel::thunk::exec::Review;

pub(super) fn describe<'py>(py: Python<'py>, stop: &Stop) -> PyResult<Bound<'py, PyTuple>> {
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
        Stop::Preload => ("preload",).into_pyobject(py),
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
            } => ("fault", addr, access.name(), mapped, bus, align).into_pyobject(py),
            Exit::Undefined | Exit::Exception { .. } => ("undefined",).into_pyobject(py),
            Exit::Breakpoint { imm } => ("breakpoint", imm).into_pyobject(py),
            Exit::Interrupted | Exit::Syscall { .. } => ("interrupted",).into_pyobject(py),
            Exit::Stop => ("stop",).into_pyobject(py),
            Exit::Block { size } => ("block", size).into_pyobject(py),
            Exit::Watched { addr, len, write } => ("watched", addr, len, write).into_pyobject(py),
        },
        Stop::Written { addr, ref before } => {
            ("written", addr, PyBytes::new(py, before)).into_pyobject(py)
        }
        Stop::Read { addr } => ("read", addr).into_pyobject(py),
    }
}
