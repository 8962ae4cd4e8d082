//! Opening a native core, and its logs.

use std::sync::Arc;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::cpu::native::{self, LogItem, NativeConfig};
use crate::cpu::unicorn::UnicornConfig;
use crate::cpu::{CpuCore, unicorn};
use crate::memory::AddressSpace;

/// A native core with Unicorn behind it. `options` are words with commas between them:
/// `check`, `log-unimp`, and what `--opt` takes.
pub(super) fn open_native(
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

pub(super) fn log_name(item: LogItem) -> &'static str {
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
