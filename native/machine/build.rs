//! Has Python write down what it declares of the guests and the options (`qusr/facts.py`), which
//! `src/facts.rs` takes into the library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The tree's root, seen from here.
const ROOT: &str = "../..";
/// What the declarations are in. Nothing else of the package is imported.
const SOURCES: [&str; 4] = ["facts.py", "options.py", "arch", "syscalls"];
const CODE: &str = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.dont_write_bytecode = True; \
                    from qusr import facts; facts.main()";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PYO3_PYTHON");
    let root = Path::new(ROOT);
    for name in SOURCES {
        watch(&root.join("qusr").join(name));
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("facts.bin");
    let python = env::var_os("PYO3_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(&python);
    // Isolated: nothing of the caller's Python has to do with it.
    command.args(["-I", "-S", "-c", CODE]).arg(root).arg(&out);
    let made = command.status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "{} could not write down the guests' declarations (Python 3.11 or newer is needed)",
        python.display()
    );
}

/// Has Cargo come here again when a source changes. Single files: Python writes into the folders.
fn watch(path: &Path) {
    if !path.is_dir() {
        if path.extension().is_some_and(|kind| kind == "py") {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        return;
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for entry in entries.flatten() {
        watch(&entry.path());
    }
}
