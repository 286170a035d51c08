//! Errors of the engine as the Python exception `TurnkeepError`.
//!
//! Raising one runs no Python code. A thread that runs Python code may have to hand over the interpreter in the middle,
//! and if that is being taken down the thread is killed there, with our frames on its stack.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList};
use serde_json::Value;
use turnkeep::{Error, ErrorCode};

/// The classes by their codes. None has an `__init__` of its own, so that calling one is C from end to end.
static CLASSES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// Finds the exceptions' classes, once and for all.
pub(crate) fn import_classes(py: Python<'_>) -> PyResult<()> {
    classes(py).map(|_| ())
}

fn classes(py: Python<'_>) -> PyResult<&Py<PyDict>> {
    CLASSES
        .get_or_try_init(py, || Ok(py.import("turnkeep.errors")?.getattr("BY_CODE")?.cast_into::<PyDict>()?.unbind()))
}

/// The exception for `error`.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let build = || {
        let details = PyDict::new(py);
        for (key, value) in error.details() {
            details.set_item(key, object(py, value)?)?;
        }
        let arguments = (error.code().as_str(), error.message(), error.code().http_status(), details);
        let class = classes(py)?.bind(py).as_any().get_item(error.code().as_str())?;
        class.call1(arguments)
    };
    match build() {
        Ok(instance) => PyErr::from_value(instance),
        Err(failure) => failure,
    }
}

fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into_pyobject(py)?.into_any(),
            (None, Some(integer)) => integer.into_pyobject(py)?.into_any(),
            (None, None) => number.as_f64().into_pyobject(py)?.into_any(),
        },
        Value::String(text) => text.into_pyobject(py)?.into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(object(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(members) => {
            let dict = PyDict::new(py);
            for (key, member) in members {
                dict.set_item(key, object(py, member)?)?;
            }
            dict.into_any()
        }
    })
}

/// A closed engine, or one whose interpreter is exiting.
pub(crate) fn closed(why: &str) -> Error {
    Error::new(ErrorCode::EngineClosed, why)
}

/// What is raised in place of a panic. The panic's own text is on standard error; it may hold what an error must not.
pub(crate) fn panicked() -> Error {
    Error::internal("turnkeep panicked, which is a bug of its own; standard error has the place")
}

/// `?` for results of the engine in functions that Python calls.
pub(crate) trait OrRaise<T> {
    /// The value, or the Python exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for turnkeep::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}
