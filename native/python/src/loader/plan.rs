//! `Plan`: what an ELF file asks of the kernel.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::load_error;
use qusr_kernel::loader::elf::{self, Plan, Segment, Stack};
use qusr_machine::facts::facts;

/// What the loader has to know of an ELF file.
#[pyclass(name = "Plan", module = "qusr._native", frozen, eq)]
#[derive(Clone, PartialEq)]
pub struct PyPlan(pub(super) Arc<Plan>);

/// One `PT_LOAD` program header.
#[pyclass(name = "Segment", module = "qusr._native", frozen, get_all)]
pub struct PySegment {
    vaddr: u64,
    memsz: u64,
    offset: u64,
    filesz: u64,
    prot: i32,
    align: u64,
}

impl From<&Segment> for PySegment {
    fn from(segment: &Segment) -> Self {
        Self {
            vaddr: segment.vaddr,
            memsz: segment.memsz,
            offset: segment.offset,
            filesz: segment.filesz,
            prot: segment.prot,
            align: segment.align,
        }
    }
}

#[pymethods]
impl PyPlan {
    #[getter]
    fn machine(&self) -> u16 {
        self.0.ident.machine
    }

    #[getter]
    fn bits(&self) -> u8 {
        self.0.ident.bits
    }

    #[getter]
    fn big_endian(&self) -> bool {
        self.0.ident.big_endian
    }

    #[getter]
    fn is_dyn(&self) -> bool {
        self.0.is_dyn()
    }

    #[getter]
    fn flags(&self) -> u32 {
        self.0.ident.flags
    }

    #[getter]
    fn entry(&self) -> u64 {
        self.0.entry
    }

    #[getter]
    fn phoff(&self) -> u64 {
        self.0.phoff
    }

    #[getter]
    fn phentsize(&self) -> u64 {
        self.0.phentsize
    }

    #[getter]
    fn phnum(&self) -> u64 {
        self.0.phnum
    }

    #[getter]
    fn phdr_vaddr(&self) -> u64 {
        self.0.phdr_vaddr()
    }

    #[getter]
    fn segments(&self) -> Vec<PySegment> {
        self.0.segments.iter().map(PySegment::from).collect()
    }

    #[getter]
    fn interp<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let interp = self.0.interp.as_deref();
        interp.map(|path| PyBytes::new(py, path))
    }

    /// What `PT_GNU_STACK` says: "default" (nothing), "not executable", "executable".
    #[getter]
    fn stack(&self) -> &'static str {
        match self.0.stack {
            Stack::Default => "default",
            Stack::NotExecutable => "not executable",
            Stack::Executable => "executable",
        }
    }

    #[getter]
    fn features(&self) -> u32 {
        self.0.features
    }

    /// qusr's name of the guest; None: there is none.
    #[getter]
    fn guest(&self) -> Option<&'static str> {
        let rules = self.0.ident.guest(&facts().machines);
        rules.map(|rules| rules.name)
    }

    /// Which of the guest's kinds of programs it is.
    #[getter]
    fn variant(&self) -> &'static str {
        let rules = self.0.ident.guest(&facts().machines);
        rules.map_or("", |rules| rules.variant(self.0.ident.flags))
    }
}

/// The plan of an open ELF file; `path` is for messages. `page_size` takes the place of the guest's.
#[pyfunction]
#[pyo3(signature = (fd, path, page_size = None))]
pub fn read_plan(py: Python<'_>, fd: i32, path: &[u8], page_size: Option<u64>) -> PyResult<PyPlan> {
    let known = &facts().machines;
    let plan = match page_size {
        None => elf::read_plan(fd, path, known),
        Some(size) => {
            let mut machines = known.clone();
            for guest in &mut machines.guests {
                guest.page_size = size;
            }
            elf::read_plan(fd, path, &machines)
        }
    };
    plan.map(|plan| PyPlan(Arc::new(plan)))
        .map_err(|error| load_error(py, &error))
}
