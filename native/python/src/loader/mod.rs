//! The loader, as Python sees it: `qusr/loader` describes and inspects with it, and `Process` loads by
//! it. How programs are loaded is `native/kernel/src/loader`.

mod image;
mod loaded;
mod plan;
mod program;
mod stack;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use qusr_kernel::loader::error::LoadError;
use qusr_kernel::loader::ident;
use qusr_kernel::loader::program::found_sysroot as find;
use qusr_kernel::loader::script;
use qusr_machine::facts::facts;

pub use image::{PyImage, load_image, map_kernel_page};
pub use loaded::{PyLoaded, load};
pub use plan::{PyPlan, PySegment, read_plan};
pub use program::{PyPrepared, prepare};
pub use stack::{PyStack, build_stack, check_limits};

/// A path or message as Python's text (os.fsdecode).
fn text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    py.import("os")?
        .call_method1("fsdecode", (PyBytes::new(py, bytes),))
}

/// `qusr.loader.errors.LoadError`.
fn load_error(py: Python<'_>, error: &LoadError) -> PyErr {
    let make = || -> PyResult<Bound<'_, PyAny>> {
        let class = py.import("qusr.loader.errors")?.getattr("LoadError")?;
        class.call1((text(py, &error.message)?, error.errno, error.status()))
    };
    make().map_or_else(|error| error, PyErr::from_value)
}

/// What the first bytes of a file look like: `elf`, `bad-elf`, `script`, `empty`, `text`, `data`.
#[pyfunction]
pub fn file_kind(head: &[u8]) -> &'static str {
    match ident::kind(head) {
        ident::Kind::Elf => "elf",
        ident::Kind::BadElf => "bad-elf",
        ident::Kind::Script => "script",
        ident::Kind::Empty => "empty",
        ident::Kind::Text => "text",
        ident::Kind::Data => "data",
    }
}

/// The name people know an ELF machine by, for programs with these `e_flags`.
#[pyfunction]
#[pyo3(signature = (machine, bits, big_endian, flags = 0))]
pub fn machine_title(machine: u16, bits: u8, big_endian: bool, flags: u32) -> String {
    facts().machines.title(machine, bits, big_endian, flags)
}

/// The interpreter and its argument, of a script's first bytes; None: the kernel would say ENOEXEC.
#[pyfunction]
pub fn parse_script<'py>(
    py: Python<'py>,
    head: &[u8],
) -> Option<(Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>)> {
    let (name, argument) = script::parse(head)?;
    let argument = argument.map(|argument| PyBytes::new(py, &argument));
    Some((PyBytes::new(py, &name), argument))
}

/// The cross-compiler's folder below /usr that serves programs; with `interp`, the first that
/// has that interpreter.
#[pyfunction]
#[pyo3(signature = (triplets, interp = None))]
pub fn found_sysroot<'py>(
    py: Python<'py>,
    triplets: Vec<Vec<u8>>,
    interp: Option<&[u8]>,
) -> Option<Bound<'py, PyBytes>> {
    let triplets: Vec<_> = triplets.iter().map(Vec::as_slice).collect();
    find(&triplets, interp).map(|found| PyBytes::new(py, &found))
}
