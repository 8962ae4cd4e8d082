//! Mapping plans into an address space: the guest's, or a model of one that Python has.

use std::sync::Arc;

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::super::memory::PyAddressSpace;
use super::load_error;
use super::plan::PyPlan;
use qusr_kernel::loader::image::{self, ElfFile, Image, Space};
use qusr_kernel::loader::rules::Rules;
use qusr_machine::facts::facts;
use qusr_memory::MmapRequest;

/// Where the parts of a program ended up.
#[pyclass(name = "Image", module = "qusr._native", frozen)]
pub struct PyImage(pub(in super::super) Image);

#[pymethods]
impl PyImage {
    #[getter]
    fn plan(&self) -> PyPlan {
        PyPlan(Arc::new(self.0.plan.clone()))
    }

    /// What was added to the file's addresses, as a signed number.
    #[getter]
    fn bias(&self) -> i64 {
        self.0.bias as i64
    }

    #[getter]
    fn entry(&self) -> u64 {
        self.0.entry
    }

    #[getter]
    fn interp_entry(&self) -> Option<u64> {
        self.0.interp_entry
    }

    #[getter]
    fn start(&self) -> u64 {
        self.0.start()
    }

    #[getter]
    fn base(&self) -> i64 {
        self.0.base as i64
    }

    #[getter]
    fn phdr(&self) -> u64 {
        self.0.phdr
    }

    #[getter]
    fn brk(&self) -> u64 {
        self.0.brk
    }

    #[getter]
    fn stack_bottom(&self) -> u64 {
        self.0.stack_bottom
    }

    #[getter]
    fn stack_top(&self) -> u64 {
        self.0.stack_top
    }

    #[getter]
    fn read_implies_exec(&self) -> bool {
        self.0.read_implies_exec
    }

    fn code_range(&self) -> (u64, u64) {
        self.0.code_range()
    }

    fn data_range(&self) -> (u64, u64) {
        self.0.data_range()
    }
}

/// An address space in Python: an object with the methods of `AddressSpace` that a loader needs. The
/// tests have one that is plain to see through.
struct Model<'py>(Bound<'py, PyAny>);

impl<'py> Model<'py> {
    /// An OSError becomes its errno; any other exception is raised later, by `load_image`.
    fn call(&self, name: &str, args: impl PyCallArgs<'py>) -> Result<Bound<'py, PyAny>, i32> {
        let py = self.0.py();
        self.0.call_method1(name, args).map_err(|error| {
            let value = error.value(py);
            let errno = value.getattr("errno").and_then(|errno| errno.extract());
            match errno {
                Ok(errno) if error.is_instance_of::<PyOSError>(py) => errno,
                _ => {
                    error.restore(py);
                    libc::EIO
                }
            }
        })
    }

    fn number(&self, name: &str) -> u64 {
        let number = self.0.getattr(name).and_then(|number| number.extract());
        number.unwrap_or_default()
    }
}

impl Space for Model<'_> {
    fn limit(&self) -> u64 {
        self.number("limit")
    }

    fn map_window(&self) -> u64 {
        self.number("map_window")
    }

    fn mmap(&self, request: MmapRequest) -> Result<u64, i32> {
        let MmapRequest {
            addr,
            len,
            prot,
            flags,
            fd,
            offset,
        } = request;
        let found = self.call("mmap", (addr, len, prot, flags, fd, offset))?;
        found.extract().map_err(|_| libc::EIO)
    }

    fn munmap(&self, addr: u64, len: u64) -> Result<(), i32> {
        self.call("munmap", (addr, len)).map(drop)
    }

    fn mprotect(&self, addr: u64, len: u64, prot: i32) -> Result<(), i32> {
        self.call("mprotect", (addr, len, prot)).map(drop)
    }

    fn write(&self, addr: u64, data: &[u8]) -> Result<(), i32> {
        let data = PyBytes::new(self.0.py(), data);
        self.call("write", (addr, data)).map(drop)
    }

    fn fill_zero(&self, addr: u64, len: u64) -> Result<(), i32> {
        self.write(addr, &vec![0; len as usize])
    }

    fn set_mmap_base(&self, addr: u64) -> Result<(), i32> {
        self.call("set_mmap_base", (addr,)).map(drop)
    }

    fn set_brk(&self, start: u64) -> Result<(), i32> {
        self.call("set_brk", (start,)).map(drop)
    }

    fn set_name(&self, addr: u64, len: u64, name: &str) -> Result<(), i32> {
        self.call("set_name", (addr, len, name)).map(drop)
    }
}

/// Does `what` with the address space that Python gave, whichever kind it is.
pub(super) fn with_space<T>(
    space: &Bound<'_, PyAny>,
    what: impl FnOnce(&dyn Space) -> Result<T, qusr_kernel::loader::LoadError>,
) -> PyResult<T> {
    let py = space.py();
    let done = match space.cast::<PyAddressSpace>() {
        Ok(native) => what(&*native.get().space),
        Err(_) => what(&Model(space.clone())),
    };
    if let Some(error) = PyErr::take(py) {
        return Err(error);
    }
    done.map_err(|error| load_error(py, &error))
}

/// How the programs of a plan's machine are loaded.
pub(super) fn rules_of(plan: &PyPlan) -> Rules {
    let ident = plan.0.ident;
    let known = ident.guest(&facts().machines).cloned();
    let unknown = || Rules::unknown(ident.machine, ident.bits, ident.big_endian);
    Rules {
        page_size: plan.0.page,
        ..known.unwrap_or_else(unknown)
    }
}

/// A plan, the descriptor of its file, and the path for messages.
type File<'py> = (PyRef<'py, PyPlan>, i32, Vec<u8>);

fn elf_file<'a>(file: &'a File<'_>) -> ElfFile<'a> {
    ElfFile {
        plan: &file.0.0,
        fd: file.1,
        path: &file.2,
    }
}

/// See [`image::load`].
#[pyfunction]
#[pyo3(signature = (space, program, interp, stack_size, pie_base = None))]
pub fn load_image(
    space: &Bound<'_, PyAny>,
    program: File<'_>,
    interp: Option<File<'_>>,
    stack_size: u64,
    pie_base: Option<u64>,
) -> PyResult<PyImage> {
    let rules = rules_of(&program.0);
    let (file, interp) = (elf_file(&program), interp.as_ref().map(elf_file));
    with_space(space, |space| {
        image::load(space, &rules, file, interp, stack_size, pie_base)
    })
    .map(PyImage)
}

/// See [`image::map_kernel_page`].
#[pyfunction]
pub fn map_kernel_page(
    space: &Bound<'_, PyAny>,
    address: u64,
    name: &str,
    page: &[u8],
) -> PyResult<()> {
    with_space(space, |space| {
        image::map_kernel_page(space, address, name, page)
    })
}
