//! `qusr._native.AddressSpace`: the guest's memory as Python sees it.

use std::sync::Arc;

use pyo3::exceptions::PyOSError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use qusr_kernel::thunk::convert::host_pointer;
use qusr_machine::start::IN_THE_WAY;
use qusr_memory::{AddressSpace, Backing, Efault, Errno, MmapRequest, Prot, Region, SpaceConfig};

/// The guest's memory. Errors are `OSError` with the errno that the guest's call would give.
#[pyclass(name = "AddressSpace", module = "qusr._native", frozen)]
pub struct PyAddressSpace {
    pub space: Arc<AddressSpace>,
}

/// An `OSError` (or its subclass for this errno), which a conversion of `std::io::Error` would lose.
pub(super) fn os_error(errno: Errno) -> PyErr {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let text = text
        .split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned();
    PyOSError::new_err((errno, text))
}

fn fault(fault: Efault) -> PyErr {
    PyOSError::new_err((libc::EFAULT, fault.to_string()))
}

/// (start, end, prot, flags, kind, name, offset); see `_native.pyi`.
fn region_tuple<'py>(py: Python<'py>, region: &Region) -> PyResult<Bound<'py, PyTuple>> {
    let anon_name = || {
        region
            .anon_name
            .as_deref()
            .unwrap_or("")
            .as_bytes()
            .to_vec()
    };
    let (kind, name) = match &region.backing {
        Backing::Anonymous => ("anonymous", anon_name()),
        Backing::SharedAnonymous { .. } => ("shared", anon_name()),
        Backing::File { file, .. } => ("file", file.path.clone()),
        Backing::Shm { id, .. } => ("shm", id.to_string().into_bytes()),
        Backing::Special(name) => ("special", name.as_bytes().to_vec()),
    };
    (
        region.start,
        region.end,
        region.prot.bits(),
        region.flags.bits(),
        kind,
        PyBytes::new(py, &name),
        region.backing.offset(),
    )
        .into_pyobject(py)
}

#[pymethods]
impl PyAddressSpace {
    #[new]
    #[pyo3(signature = (va_bits, guest_base=None, reserved_va=None, mmap_min_addr=0x10000, page_size=4096, executes=false))]
    fn new(
        va_bits: u8,
        guest_base: Option<u64>,
        reserved_va: Option<u64>,
        mmap_min_addr: u64,
        page_size: u64,
        executes: bool,
    ) -> PyResult<Self> {
        let config = SpaceConfig {
            va_bits,
            guest_base,
            reserved_va,
            mmap_min_addr,
            page_size,
            executes,
        };
        let space = AddressSpace::new(config).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(libc::ENOMEM);
            if executes && errno == libc::EEXIST {
                return PyValueError::new_err(IN_THE_WAY);
            }
            os_error(errno)
        })?;
        Ok(Self { space })
    }

    #[getter]
    fn base(&self) -> u64 {
        self.space.base() as u64
    }

    #[getter]
    fn limit(&self) -> u64 {
        self.space.limit()
    }

    #[getter]
    fn map_window(&self) -> u64 {
        self.space.map_window()
    }

    #[getter]
    fn mmap_base(&self) -> u64 {
        self.space.mmap_base()
    }

    fn set_mmap_base(&self, addr: u64) {
        self.space.set_mmap_base(addr);
    }

    #[pyo3(signature = (addr, len, prot, flags, fd=-1, offset=0))]
    #[expect(clippy::too_many_arguments, reason = "they are mmap's")]
    fn mmap(
        &self,
        py: Python<'_>,
        addr: u64,
        len: u64,
        prot: i32,
        flags: i32,
        fd: i32,
        offset: u64,
    ) -> PyResult<u64> {
        let request = MmapRequest {
            addr,
            len,
            prot,
            flags,
            fd,
            offset,
        };
        py.detach(|| self.space.mmap(request)).map_err(os_error)
    }

    fn munmap(&self, py: Python<'_>, addr: u64, len: u64) -> PyResult<()> {
        py.detach(|| self.space.munmap(addr, len)).map_err(os_error)
    }

    fn mprotect(&self, py: Python<'_>, addr: u64, len: u64, prot: i32) -> PyResult<()> {
        py.detach(|| self.space.mprotect(addr, len, prot))
            .map_err(os_error)
    }

    fn brk(&self, py: Python<'_>, addr: u64) -> u64 {
        py.detach(|| self.space.brk(addr))
    }

    fn set_brk(&self, start: u64) {
        self.space.set_brk(start);
    }

    fn prot_at(&self, addr: u64) -> Option<i32> {
        self.space.prot_at(addr).map(|prot| prot.bits())
    }

    fn read<'py>(&self, py: Python<'py>, addr: u64, len: usize) -> PyResult<Bound<'py, PyBytes>> {
        if self.space.host_ptr(addr, len as u64).is_none() {
            return Err(fault(Efault { addr }));
        }
        PyBytes::new_with(py, len, |buf| self.space.read(addr, buf).map_err(fault))
    }

    fn write(&self, addr: u64, data: &[u8]) -> PyResult<()> {
        self.space.write(addr, data).map_err(fault)
    }

    /// Reads whatever the protection is, as a debugger does.
    fn peek<'py>(&self, py: Python<'py>, addr: u64, len: usize) -> PyResult<Bound<'py, PyBytes>> {
        if self.space.host_ptr(addr, len as u64).is_none() {
            return Err(fault(Efault { addr }));
        }
        PyBytes::new_with(py, len, |buf| self.space.peek(addr, buf).map_err(fault))
    }

    /// Writes whatever the protection is.
    fn poke(&self, addr: u64, data: &[u8]) -> PyResult<()> {
        self.space.poke(addr, data).map_err(fault)
    }

    fn fill_zero(&self, addr: u64, len: u64) -> PyResult<()> {
        self.space.fill_zero(addr, len).map_err(fault)
    }

    /// The host address of a guest address, as a system call is to get it: null stays null,
    /// and an address outside the guest becomes one that the kernel refuses.
    fn host_pointer(&self, addr: u64) -> u64 {
        host_pointer(&self.space, addr)
    }

    /// A NUL-terminated string without the NUL; ENAMETOOLONG if there is no NUL within `max`.
    #[pyo3(signature = (addr, max=4096))]
    fn read_cstr<'py>(
        &self,
        py: Python<'py>,
        addr: u64,
        max: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        match self.space.read_cstr(addr, max).map_err(fault)? {
            Some(text) => Ok(PyBytes::new(py, &text)),
            None => Err(os_error(libc::ENAMETOOLONG)),
        }
    }

    /// All mappings: (start, end, prot, flags, kind, name, offset).
    fn regions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        self.space
            .regions()
            .iter()
            .map(|region| region_tuple(py, region))
            .collect()
    }

    #[pyo3(signature = (root=None))]
    fn maps_text<'py>(&self, py: Python<'py>, root: Option<&[u8]>) -> Bound<'py, PyBytes> {
        let text = py.detach(|| self.space.maps_text(root.unwrap_or(b"")));
        PyBytes::new(py, &text)
    }

    fn smaps_sums(&self, py: Python<'_>, labels: Vec<String>) -> PyResult<Vec<u64>> {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        py.detach(|| self.space.smaps_sums(&labels))
            .map_err(os_error)
    }

    #[pyo3(signature = (root=None))]
    fn smaps_text<'py>(
        &self,
        py: Python<'py>,
        root: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let text = py
            .detach(|| self.space.smaps_text(root.unwrap_or(b"")))
            .map_err(os_error)?;
        Ok(PyBytes::new(py, &text))
    }

    fn set_name(&self, addr: u64, len: u64, name: &str) {
        self.space.set_name(addr, len, name);
    }

    fn set_anon_name(&self, addr: u64, len: u64, name: Option<&[u8]>) -> PyResult<()> {
        self.space.set_anon_name(addr, len, name).map_err(os_error)
    }

    #[pyo3(signature = (addr, old_len, new_len, flags, new_addr=0))]
    fn mremap(
        &self,
        py: Python<'_>,
        addr: u64,
        old_len: u64,
        new_len: u64,
        flags: i32,
        new_addr: u64,
    ) -> PyResult<u64> {
        py.detach(|| self.space.mremap(addr, old_len, new_len, flags, new_addr))
            .map_err(os_error)
    }

    fn madvise(&self, py: Python<'_>, addr: u64, len: u64, advice: i32) -> PyResult<()> {
        py.detach(|| self.space.madvise(addr, len, advice))
            .map_err(os_error)
    }

    fn msync(&self, py: Python<'_>, addr: u64, len: u64, flags: i32) -> PyResult<()> {
        py.detach(|| self.space.msync(addr, len, flags))
            .map_err(os_error)
    }

    fn mincore<'py>(&self, py: Python<'py>, addr: u64, len: u64) -> PyResult<Bound<'py, PyBytes>> {
        let pages = py
            .detach(|| self.space.mincore(addr, len))
            .map_err(os_error)?;
        Ok(PyBytes::new(py, &pages))
    }

    #[pyo3(signature = (addr, len, flags=0))]
    fn mlock2(&self, py: Python<'_>, addr: u64, len: u64, flags: i32) -> PyResult<()> {
        py.detach(|| self.space.mlock2(addr, len, flags))
            .map_err(os_error)
    }

    fn munlock(&self, py: Python<'_>, addr: u64, len: u64) -> PyResult<()> {
        py.detach(|| self.space.munlock(addr, len))
            .map_err(os_error)
    }

    fn mlockall(&self, py: Python<'_>, flags: i32) -> PyResult<()> {
        py.detach(|| self.space.mlockall(flags)).map_err(os_error)
    }

    fn munlockall(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.space.munlockall()).map_err(os_error)
    }

    #[pyo3(signature = (id, addr, flags, shmlba=4096))]
    fn shmat(&self, py: Python<'_>, id: i32, addr: u64, flags: i32, shmlba: u64) -> PyResult<u64> {
        py.detach(|| self.space.shmat(id, addr, flags, shmlba))
            .map_err(os_error)
    }

    fn shmdt(&self, py: Python<'_>, addr: u64) -> PyResult<()> {
        py.detach(|| self.space.shmdt(addr)).map_err(os_error)
    }

    #[pyo3(signature = (space=None, data=None, stack=None))]
    fn set_rlimits(&self, space: Option<u64>, data: Option<u64>, stack: Option<u64>) {
        self.space.set_rlimits(space, data, stack);
    }

    fn set_read_implies_exec(&self, on: bool) {
        self.space.set_read_implies_exec(on);
    }

    fn is_accessible(&self, addr: u64, len: u64, prot: i32) -> bool {
        self.space.is_accessible(addr, len, Prot::from_bits(prot))
    }

    fn fault(&self, addr: u64) -> bool {
        self.space.fault(addr)
    }

    fn notify_code_write(&self, start: u64, end: u64) {
        self.space.notify_code_write(start, end);
    }

    /// The heap's start and the break.
    fn brk_range(&self) -> (u64, u64) {
        self.space.brk_range()
    }

    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.space.clear()).map_err(os_error)
    }

    fn after_fork_in_child(&self) {
        self.space.after_fork_in_child();
    }
}
