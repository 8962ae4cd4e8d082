//! Where functions stand in the extension and in `qusr-static`, for their build scripts.
//!
//! A page of the file that is executed brings those around it into the process (fault-around, 64 KB). What starts of small
//! programs and a shell's children execute is a fifth of the code, but strewn over all of it: so it is put together. Functions go by their
//! names without the compiler's hashes, as patterns. One that is missing, or that no function has any more, only costs memory;
//! `tools/executed-functions` makes the list.

use std::path::{Path, PathBuf};
use std::{env, fs};

const NAMES: &str = "../python/usual.names";

/// Writes the linker's script and gives its path. It is added to the linker's own layout (INSERT), which GNU ld and LLVM's both know.
pub fn script() -> PathBuf {
    for name in [NAMES, "../python/layout.rs"] {
        println!("cargo::rerun-if-changed={name}");
    }
    let names = fs::read_to_string(NAMES).unwrap_or_else(|error| panic!("{NAMES}: {error}"));
    // What is marked as cold, a vector's growth for instance, is in sections of another name.
    let pattern = |name| format!("*(.text.{name} .text.unlikely.{name})\n");
    let patterns = names.lines().map(pattern);
    let usual = patterns.collect::<String>();
    let text = format!("SECTIONS {{ .text.usual : {{\n{usual}}} }}\nINSERT AFTER .text;\n");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let path = Path::new(&out).join("layout.ld");
    fs::write(&path, text).expect("OUT_DIR can be written to");
    path
}
