//! Puts a Python into the executable: its static library, the modules that qusr needs as code
//! (`tools/freeze.py`), and what starts it (`src/embed.c`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

#[path = "../python/layout.rs"]
mod layout;

const FREEZE: &str = "../../tools/freeze.py";
const SOURCES: [&str; 2] = ["src/embed.c", "src/packed.c"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed={FREEZE}");
    println!("cargo::rerun-if-changed=../../qusr");
    for name in ["QUSR_STATIC_PYTHON", "QUSR_STATIC_PACKAGES"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    // Python is a part of it.
    println!("cargo::rustc-check-cfg=cfg(python_is_late)");
    let out = PathBuf::from(variable("OUT_DIR"));
    let python = variable("QUSR_STATIC_PYTHON");
    // The launcher is no part of it: what is registered is this executable itself.
    fs::write(out.join("qusr-interp"), b"").expect("OUT_DIR can be written to");

    let frozen = out.join("frozen.c");
    // Columns are for tracebacks that show the source.
    run(Command::new(&python)
        .args([
            "-I",
            "-X",
            "no_debug_ranges",
            FREEZE,
            "../..",
            &variable("QUSR_STATIC_PACKAGES"),
        ])
        .arg(&out));
    let place = ask(&python, "sysconfig.get_path('include')");
    let library = ask(&python, "sysconfig.get_config_var('LIBPL')");
    for source in SOURCES.map(Path::new).into_iter().chain([&*frozen]) {
        let object = out.join(source.with_extension("o").file_name().expect("a file"));
        run(Command::new(env::var("CC").unwrap_or_else(|_| "cc".into()))
            .args([
                "-O2", "-Wall", "-Werror", "-fPIE", "-c", "-Isrc", "-I", &place,
            ])
            .arg(source)
            .arg("-o")
            .arg(&object));
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
    let name = ask(
        &python,
        "'python' + sysconfig.get_config_var('LDVERSION') + '-pic'",
    );
    println!("cargo::rustc-link-arg-bins=-L{library}");
    for library in [&name, "z", "m"] {
        println!("cargo::rustc-link-arg-bins=-l:lib{library}.a");
    }
    // The store knows a build by it (`../store`).
    println!("cargo::rustc-link-arg-bins=-Wl,--build-id=sha1,--gc-sections");
    let layout = layout::script();
    println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", layout.display());
    // 50,000 pointers to be relocated at each start; in 24 bytes each they are 1.2 MB.
    println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: use make static"))
}

fn ask(python: &str, what: &str) -> String {
    let code = format!("import sysconfig; print({what})");
    let output = Command::new(python).args(["-I", "-c", &code]).output();
    let output = output.unwrap_or_else(|error| panic!("{python}: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn run(command: &mut Command) {
    let done = command.status().is_ok_and(|status| status.success());
    assert!(done, "{command:?} failed");
}
