//! What the declarations say, and the options, as Python sees them.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::cpu::SystemRegister;
use qusr_machine::facts as declared;
use qusr_machine::machine::{Machine, Wishes};
use qusr_machine::start::options::{self, Options, Value};

/// The machine that a program sees, see [`Machine`]. ValueError: there is no such CPU or core.
#[pyclass(name = "Machine", module = "qusr._native", frozen)]
pub struct PyMachine(pub(super) Arc<Machine>);

#[pymethods]
impl PyMachine {
    #[new]
    #[pyo3(signature = (guest, variant, *, cpu = None, core = "", opt = "", logs = ""))]
    fn new(
        guest: &str,
        variant: &str,
        cpu: Option<&str>,
        core: &str,
        opt: &str,
        logs: &str,
    ) -> PyResult<Self> {
        let wishes = Wishes {
            cpu,
            core,
            opt,
            logs,
        };
        let machine = Machine::new(guest, variant, wishes);
        machine
            .map(|machine| Self(Arc::new(machine)))
            .map_err(PyValueError::new_err)
    }

    /// The CPU model's name.
    #[getter]
    fn model(&self) -> &'static str {
        self.0.model
    }

    /// The options of the native core; None when Unicorn runs the guest.
    #[getter]
    fn native_options(&self) -> Option<&str> {
        self.0.native.as_deref()
    }

    /// Whether the host's processor runs the guest.
    #[getter]
    fn direct(&self) -> bool {
        self.0.direct.is_some()
    }

    /// Whether its memory is to be at the host's addresses.
    #[getter]
    fn executes(&self) -> bool {
        self.0.executes
    }

    #[getter]
    fn hwcap(&self) -> (u64, Option<u64>) {
        (self.0.cpu.hwcap, self.0.cpu.hwcap2)
    }

    #[getter]
    fn uname(&self) -> &[u8] {
        self.0.cpu.uname.as_bytes()
    }

    #[getter]
    fn platform(&self) -> &[u8] {
        self.0.cpu.platform.as_bytes()
    }

    /// Address, name and contents.
    #[getter]
    fn kernel_pages(&self) -> Vec<(u64, &'static str, &'static [u8])> {
        self.0.abi.kernel_pages.clone()
    }

    /// The guest's name in the cores, the model's number in Unicorn, system registers, features.
    #[getter]
    fn core(&self) -> (&'static str, i32, Vec<SystemRegister>, Vec<String>) {
        let cpu = &self.0.cpu;
        (
            self.0.abi.core,
            cpu.unicorn,
            cpu.system_registers.clone(),
            cpu.features.clone(),
        )
    }
}

/// What Python declared when the extension was built (`qusr/facts.py`).
#[pyfunction]
pub fn facts(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(py, declared::bytes())
}

/// A change of the environment: name, and value or None.
type Change<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>);

/// What words and variables say: the options' values by name (text as bytes, a number, or True), the
/// changes of the environment, what is to be shown, and the program with its arguments. `find` gives a
/// variable's value or None. ValueError with bytes: why the command line cannot be.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "a tuple for Python")]
pub fn parse_options<'py>(
    py: Python<'py>,
    words: Vec<Vec<u8>>,
    find: &Bound<'py, PyAny>,
) -> PyResult<(
    Bound<'py, PyDict>,
    Vec<Change<'py>>,
    &'static str,
    Vec<Bound<'py, PyBytes>>,
)> {
    let find = |name: &str| -> Option<Vec<u8>> {
        let name = PyBytes::new(py, name.as_bytes());
        find.call1((name,)).ok()?.extract().ok()?
    };
    let bytes = |text: &[u8]| PyBytes::new(py, text);
    let options = Options::parse(&words, find)
        .map_err(|why| PyValueError::new_err((bytes(&why).unbind(),)))?;
    options.warn();
    let values = PyDict::new(py);
    for (name, value) in &options.values {
        match value {
            Value::Flag => values.set_item(name, true)?,
            Value::Text(text) => values.set_item(name, bytes(text))?,
            Value::Number(number) => values.set_item(name, number)?,
        }
    }
    let changes = options.changes.iter();
    let changes = changes.map(|(name, value)| (bytes(name), value.as_deref().map(bytes)));
    let argv = options.argv.iter().map(|word| bytes(word)).collect();
    Ok((values, changes.collect(), options.show, argv))
}

/// A number at the start of a text, as options have them, and the rest. ValueError: there is none.
#[pyfunction]
pub fn number(text: &str) -> PyResult<(u128, &str)> {
    let found = options::number(text.as_bytes());
    let (number, rest) =
        found.ok_or_else(|| PyValueError::new_err(format!("{text}: not a number")))?;
    Ok((number, &text[text.len() - rest.len()..]))
}
