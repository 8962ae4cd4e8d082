//! `Prepared`: a program that is ready to be loaded.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::image::PyImage;
use super::image::with_space;
use super::plan::PyPlan;
use super::stack::{PyStack, build};
use super::{load_error, text};
use qusr_kernel::loader::LoadError;
use qusr_kernel::loader::auxv::Facts;
use qusr_kernel::loader::program::{self, Prepared, Request, Wanted};
use qusr_kernel::loader::rules::Rules;
use qusr_machine::facts::facts;

/// See [`Prepared`]. Closed, it is of no use any more.
#[pyclass(name = "Prepared", module = "qusr._native", frozen)]
pub struct PyPrepared(Mutex<Option<Prepared>>);

impl From<Prepared> for PyPrepared {
    fn from(prepared: Prepared) -> Self {
        Self(Mutex::new(Some(prepared)))
    }
}

impl PyPrepared {
    /// Does something with it. ValueError: it is closed.
    pub(super) fn with<T>(&self, what: impl FnOnce(&mut Prepared) -> T) -> PyResult<T> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = guard.as_mut();
        open.map(what)
            .ok_or_else(|| PyValueError::new_err("the program's files are closed"))
    }
}

fn rules(prepared: &Prepared) -> Option<&'static Rules> {
    prepared.plan.as_ref()?;
    prepared.ident.guest(&facts().machines)
}

#[pymethods]
impl PyPrepared {
    /// The ELF program's path as the guest knows it.
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.with(|prepared| text(py, &prepared.path))?
    }

    /// The file on the host.
    #[getter]
    fn host_path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.with(|prepared| text(py, &prepared.host_path))?
    }

    #[getter]
    fn argv<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        self.with(|prepared| {
            let argv = prepared.argv.iter();
            argv.map(|word| PyBytes::new(py, word)).collect()
        })
    }

    #[setter]
    fn set_argv(&self, argv: Vec<Vec<u8>>) -> PyResult<()> {
        self.with(|prepared| prepared.argv = argv)
    }

    /// The path as it was given to execve, also for a script.
    #[getter]
    fn execfn<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(|prepared| PyBytes::new(py, &prepared.execfn))
    }

    /// The sysroot that was given, or found for the program; None: none.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.with(|prepared| match &prepared.sysroot[..] {
            [] => Ok(None),
            root => text(py, root).map(Some),
        })?
    }

    #[getter]
    fn fd(&self) -> PyResult<i32> {
        self.with(|prepared| prepared.file.as_raw_fd())
    }

    /// qusr's name of the guest; None for a program of the host.
    #[getter]
    fn guest(&self) -> PyResult<Option<&'static str>> {
        self.with(|prepared| rules(prepared).map(|rules| rules.name))
    }

    /// None for a program of the host itself: it takes a real execve.
    #[getter]
    fn plan(&self) -> PyResult<Option<PyPlan>> {
        self.with(|prepared| prepared.plan.clone().map(|plan| PyPlan(Arc::new(plan))))
    }

    #[getter]
    fn interp(&self) -> PyResult<Option<PyPlan>> {
        self.with(|prepared| {
            let plan = prepared
                .interpreter
                .as_ref()
                .map(|interp| interp.plan.clone());
            plan.map(|plan| PyPlan(Arc::new(plan)))
        })
    }

    /// -1: there is none.
    #[getter]
    fn interp_fd(&self) -> PyResult<i32> {
        self.with(|prepared| {
            let interp = prepared.interpreter.as_ref();
            interp.map_or(-1, |interp| interp.file.as_raw_fd())
        })
    }

    /// On the host; "": there is none.
    #[getter]
    fn interp_path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.with(|prepared| {
            let interp = prepared.interpreter.as_ref();
            text(py, interp.map_or(b"", |interp| &interp.path))
        })?
    }

    /// Closes the files; mappings stay.
    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Maps everything into an empty address space. The files stay open.
    #[pyo3(signature = (space, *, stack_size))]
    fn install(&self, space: &Bound<'_, PyAny>, stack_size: u64) -> PyResult<PyImage> {
        self.with(|prepared| {
            let Some(rules) = rules(prepared) else {
                let title = prepared.ident.title(&facts().machines);
                let what = format!("built for {title}");
                let error = LoadError::of(&prepared.path, what, libc::ENOEXEC);
                return Err(load_error(space.py(), &error));
            };
            with_space(space, |space| prepared.install(space, rules, stack_size))
        })?
        .map(PyImage)
    }

    /// The initial stack; `random` are the 16 bytes of AT_RANDOM.
    #[pyo3(signature = (image, envp, *, hwcap, hwcap2, platform, random))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn build_stack(
        &self,
        py: Python<'_>,
        image: &PyImage,
        envp: Vec<Vec<u8>>,
        hwcap: u64,
        hwcap2: Option<u64>,
        platform: &[u8],
        random: [u8; 16],
    ) -> PyResult<PyStack> {
        let image = &image.0;
        self.with(|prepared| {
            let ident = prepared.ident;
            let facts = Facts {
                phdr: image.phdr,
                phent: image.plan.phentsize,
                phnum: image.plan.phnum,
                base: image.base,
                entry: image.entry,
                hwcap,
                hwcap2,
                minsigstksz: rules(prepared).map_or(0, |rules| rules.minsigstksz),
                own: rules(prepared).map_or(&[], |rules| &rules.auxv),
                page_size: image.plan.page,
                platform: !platform.is_empty(),
                ..Facts::default()
            };
            build(
                py,
                image.stack_top,
                (&prepared.argv, &envp, &prepared.execfn),
                facts,
                (ident.bits, ident.big_endian),
                platform,
                random,
            )
        })?
    }
}

/// See [`program::prepare`]. `guest`: the one that the caller runs; None: any. `caller`: the `e_machine` of the
/// guest that executes it. `fd` is taken over.
#[pyfunction]
#[pyo3(signature = (path, argv, root = None, *, seeks = false, fd = -1, guest = None, caller = None, check_mode = true, execfn = None))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub fn prepare(
    py: Python<'_>,
    path: &[u8],
    argv: Vec<Vec<u8>>,
    root: Option<&[u8]>,
    seeks: bool,
    fd: i32,
    guest: Option<&str>,
    caller: Option<u16>,
    check_mode: bool,
    execfn: Option<Vec<u8>>,
) -> PyResult<PyPrepared> {
    let request = Request {
        path,
        argv,
        sysroot: root.unwrap_or_default(),
        seeks_sysroot: seeks,
        // SAFETY: the caller gives it away.
        file: (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) }),
        wanted: match (guest, caller) {
            (Some(guest), _) => Wanted::Guest(guest),
            (None, Some(machine)) => Wanted::By(machine),
            (None, None) => Wanted::Guests,
        },
        checks_mode: check_mode,
        execfn,
    };
    let prepared = py.detach(|| program::prepare(request, &facts().machines));
    prepared
        .map(PyPrepared::from)
        .map_err(|error| load_error(py, &error))
}
