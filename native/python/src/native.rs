//! The native core's logs, for Python.

use std::sync::Arc;

use pyo3::prelude::*;

use qusr_translator::{self as native, LogItem};

/// What hands logs to `log(item, text)`.
pub(super) fn log_to(log: Py<PyAny>) -> native::Log {
    Arc::new(move |item, text| tell(&log, (log_name(item), text)))
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
pub(super) fn tell(log: &Py<PyAny>, args: impl for<'py> pyo3::call::PyCallArgs<'py>) {
    Python::attach(|py| {
        if let Err(error) = log.call1(py, args) {
            error.write_unraisable(py, None);
        }
    });
}
