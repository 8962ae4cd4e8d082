//! The initial stack.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::image::with_space;
use super::load_error;
use qusr_kernel::abi::GuestAbi;
use qusr_kernel::loader::auxv::{Credentials, Facts};
use qusr_kernel::loader::stack::{self, Contents, Stack};

/// A finished initial stack, see [`Stack`].
#[pyclass(name = "Stack", module = "qusr._native", frozen)]
pub struct PyStack(pub(in super::super) Stack);

#[pymethods]
impl PyStack {
    #[getter]
    fn sp(&self) -> u64 {
        self.0.sp
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }

    #[getter]
    fn arg_start(&self) -> u64 {
        self.0.arg_start
    }

    #[getter]
    fn arg_end(&self) -> u64 {
        self.0.arg_end
    }

    #[getter]
    fn env_start(&self) -> u64 {
        self.0.arg_end
    }

    #[getter]
    fn env_end(&self) -> u64 {
        self.0.env_end
    }

    #[getter]
    fn auxv(&self) -> Vec<(u64, u64)> {
        self.0.auxv.clone()
    }

    #[getter]
    fn auxv_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.auxv_bytes)
    }

    /// Puts it into guest memory. LoadError when that fails.
    fn store(&self, space: &Bound<'_, PyAny>) -> PyResult<()> {
        with_space(space, |space| self.0.store(space))
    }
}

/// argv, envp and execfn.
type Strings<'a> = (&'a [Vec<u8>], &'a [Vec<u8>], &'a [u8]);

/// Lays a stack out; `class` is the word's bits and whether it is big-endian.
pub(super) fn build(
    py: Python<'_>,
    top: u64,
    (argv, envp, execfn): Strings<'_>,
    facts: Facts<'_>,
    (word_bits, big_endian): (u8, bool),
    platform: &[u8],
    random: [u8; 16],
) -> PyResult<PyStack> {
    let mut auxv = facts.vector();
    Credentials::current().patch(&mut auxv);
    let made = stack::build(Contents {
        top,
        argv: &argv.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        envp: &envp.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        execfn,
        auxv,
        platform,
        random,
        abi: GuestAbi::of(word_bits, big_endian),
    });
    made.map(PyStack)
        .map_err(|error| load_error(py, &error.explain()))
}

/// An initial stack of any shape below `top`; `facts` are numbers by the names of [`Facts`], and `rseq`
/// a pair.
#[pyfunction]
#[pyo3(signature = (top, argv, envp, execfn, *, bits, big_endian, platform, random, phdr = 0, phent = 0, phnum = 0, base = 0, entry = 0, hwcap = 0, hwcap2 = None, minsigstksz = 0, vdso = 0, rseq = None, page_size = 4096))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub fn build_stack(
    py: Python<'_>,
    top: u64,
    argv: Vec<Vec<u8>>,
    envp: Vec<Vec<u8>>,
    execfn: &[u8],
    bits: u8,
    big_endian: bool,
    platform: &[u8],
    random: [u8; 16],
    phdr: u64,
    phent: u64,
    phnum: u64,
    base: u64,
    entry: u64,
    hwcap: u64,
    hwcap2: Option<u64>,
    minsigstksz: u64,
    vdso: u64,
    rseq: Option<(u64, u64)>,
    page_size: u64,
) -> PyResult<PyStack> {
    let facts = Facts {
        phdr,
        phent,
        phnum,
        base,
        entry,
        hwcap,
        hwcap2,
        minsigstksz,
        own: &[],
        page_size,
        vdso,
        platform: !platform.is_empty(),
        rseq,
    };
    let strings = (&argv[..], &envp[..], execfn);
    build(
        py,
        top,
        strings,
        facts,
        (bits, big_endian),
        platform,
        random,
    )
}

/// LoadError (E2BIG) by the rules of execve(2); see [`stack::check_limits`].
#[pyfunction]
#[pyo3(signature = (argv, envp, execfn, *, word, stack_limit))]
pub fn check_limits(
    py: Python<'_>,
    argv: Vec<Vec<u8>>,
    envp: Vec<Vec<u8>>,
    execfn: &[u8],
    word: u64,
    stack_limit: u64,
) -> PyResult<()> {
    stack::check_limits(&argv, &envp, execfn, word, stack_limit)
        .map_err(|error| load_error(py, &error))
}
