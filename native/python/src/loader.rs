//! What the loader has Rust do.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use qusr_kernel::abi::GuestAbi;
use qusr_kernel::loader::auxv::{Credentials, Vector};
use qusr_kernel::loader::stack::{self, Contents};

/// sp, data, `arg_start`, `arg_end`, `env_end`, the auxiliary vector and its bytes.
type PyStack<'py> = (
    u64,
    Bound<'py, PyBytes>,
    u64,
    u64,
    u64,
    Vector,
    Bound<'py, PyBytes>,
);

/// An initial stack, see [`stack::build`]; the ids in its vector become this process's.
#[pyfunction]
#[pyo3(signature = (top, argv, envp, execfn, auxv, *, bits, big_endian, platform, base_platform, random))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub fn build_stack<'py>(
    py: Python<'py>,
    top: u64,
    argv: Vec<PyBackedBytes>,
    envp: Vec<PyBackedBytes>,
    execfn: &[u8],
    mut auxv: Vector,
    bits: u8,
    big_endian: bool,
    platform: &[u8],
    base_platform: &[u8],
    random: [u8; 16],
) -> PyResult<PyStack<'py>> {
    let argv: Vec<&[u8]> = argv.iter().map(AsRef::as_ref).collect();
    let envp: Vec<&[u8]> = envp.iter().map(AsRef::as_ref).collect();
    Credentials::current().patch(&mut auxv);
    let made = stack::build(Contents {
        top,
        argv: &argv,
        envp: &envp,
        execfn,
        auxv,
        platform,
        base_platform,
        random,
        abi: GuestAbi {
            word_bits: bits,
            big_endian,
            numbers: None,
        },
    });
    let made = made.map_err(|error| {
        PyValueError::new_err(match error {
            stack::Error::Nul => "an argument or environment string contains a NUL",
            stack::Error::TooLarge => "the initial stack does not fit below its end",
        })
    })?;
    Ok((
        made.sp,
        PyBytes::new(py, &made.data),
        made.arg_start,
        made.arg_end,
        made.env_end,
        made.auxv,
        PyBytes::new(py, &made.auxv_bytes),
    ))
}
