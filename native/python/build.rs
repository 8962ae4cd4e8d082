//! Compiles the launcher: the commands, and what `qusr-binfmt` registers. And leaves Python's names to `src/late.rs`.
//!
//! The commands go where maturin, which compiles first, takes a wheel's files from
//! (`tool.maturin.data` of pyproject.toml). `src/launcher.rs` takes the same executable into the
//! extension for `qusr-binfmt`, so that every way of installing the package brings it along.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

#[path = "../guests/src/names.rs"]
#[expect(dead_code, reason = "only the list is of use here")]
mod names;

mod layout;

const SOURCES: &str = "../launcher/src";
const MAIN: &str = "../launcher/src/main.rs";
const NAMES: &str = "../guests/src/names.rs";
/// What the bindings take from Python: the linker tells if one is missing.
const PYTHON: &str = "python.symbols";
/// The first of the numbers that stand for them. No address (they are not canonical), and none that fits in an
/// instruction in the place of an entry of the table.
const MARK: u64 = 0x7151_7573_7200_0000;
/// Below the tree's root. This one is a script of the shell, and part of the sources.
const FOLDER: &str = "../../commands/scripts";
const SCRIPT: &str = "qusr-binfmt";

fn main() {
    println!("cargo::rerun-if-changed={SOURCES}");
    println!("cargo::rerun-if-changed={NAMES}");
    println!("cargo::rerun-if-changed=build.rs");
    // The store knows a build by it (`../store`).
    println!("cargo::rustc-link-arg-cdylib=-Wl,--build-id=sha1");
    let layout = layout::script();
    println!("cargo::rustc-link-arg-cdylib=-Wl,-T,{}", layout.display());
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let folder = PathBuf::from(variable("OUT_DIR"));
    leave_python(&folder);
    let out = folder.join("qusr-interp");
    compile(&variable("RUSTC"), &variable("TARGET"), &out);
    let folder = Path::new(FOLDER);
    // The crate alone, without the rest of the tree, is enough for its own tests.
    if !folder.is_dir() {
        return;
    }
    for name in commands() {
        let path = folder.join(name);
        install(&out, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // Cargo comes here again when someone has removed it.
        println!("cargo::rerun-if-changed={}", path.display());
    }
    // A source distribution made by maturin 1.16 has lost this.
    make_executable(&folder.join(SCRIPT)).unwrap_or_else(|error| panic!("{SCRIPT}: {error}"));
}

/// Has the linker take each of Python's names for a number, and writes down where `src/late.rs` finds its entries.
fn leave_python(out: &Path) {
    println!("cargo::rerun-if-changed={PYTHON}");
    println!("cargo::rustc-check-cfg=cfg(python_is_late)");
    println!("cargo::rustc-cfg=python_is_late");
    let names = fs::read_to_string(PYTHON).unwrap_or_else(|error| panic!("{PYTHON}: {error}"));
    let (mut slots, mut texts, mut numbers, mut count) = <(String, String, String, u64)>::default();
    for name in names.lines() {
        slots.push_str(&format!(".long {name}@GOTPCREL\n"));
        texts.push_str(&format!(".asciz \"{name}\"\n"));
        let number = MARK + 16 * count;
        numbers.push_str(&format!("-Wl,--defsym={name}={number:#x}\n"));
        count += 1;
    }
    let table =
        |name: &str, content: &str| format!(".globl {name}\n.hidden {name}\n{name}:\n{content}");
    let parts = [
        ".pushsection .rodata.qusr_python, \"a\", @progbits\n.balign 4\n".to_owned(),
        table("qusr_python_slots", &slots),
        table("qusr_python_names", &texts),
        ".popsection\n".to_owned(),
    ];
    let write = |name: &str, text: &str| {
        fs::write(out.join(name), text).expect("OUT_DIR can be written to")
    };
    write("python.s", &parts.concat());
    write("python.count", &count.to_string());
    write("python.link", &numbers);
    println!(
        "cargo::rustc-link-arg-cdylib=@{}",
        out.join("python.link").display()
    );
    // GNU's linker, which a Rust of Debian has, would make instructions of entries that are numbers, and find that these
    // do not fit ("failed to convert GOTPCREL relocation"). Rust's own looks first.
    println!("cargo::rustc-link-arg-cdylib=-Wl,--no-relax");
    // All that is not in the list has to be in a library; and the launcher executes this one.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,defs,-e,qusr_start");
}

/// `qusr`, and a command for each name that a guest has.
fn commands() -> Vec<String> {
    let names = names::NAMES.iter();
    let names = names.flat_map(|(name, others)| std::iter::once(name).chain(*others));
    std::iter::once("qusr".to_owned())
        .chain(names.map(|name| format!("qusr-{name}")))
        .collect()
}

/// There is no C library in it (`../launcher/src/kernel.rs`), and so nothing to start one.
fn compile(rustc: &str, target: &str, out: &Path) {
    let mut command = Command::new(rustc);
    command.args(["--crate-name=qusr_interp", "--edition=2024"]);
    command.args([
        "-Copt-level=s",
        "-Cpanic=abort",
        "-Cstrip=symbols",
        "-Crelocation-model=static",
    ]);
    command.arg("-Ctarget-feature=+crt-static");
    command.args([
        "-Clink-arg=-static",
        "-Clink-arg=-nostdlib",
        "-Clink-arg=-nostartfiles",
    ]);
    command.args(["--target", target, MAIN, "-o"]).arg(out);
    let compiled = command.status().is_ok_and(|status| status.success());
    assert!(compiled, "{MAIN} does not compile");
}

/// Makes a command, unless it is there as it should be.
fn install(executable: &Path, path: &Path) -> io::Result<()> {
    let bytes = fs::read(executable)?;
    let is_file = fs::symlink_metadata(path).is_ok_and(|data| data.is_file());
    if !is_file || fs::read(path)? != bytes {
        // Renamed into place: other builds of this tree may do the same now.
        let new = path.with_extension(std::process::id().to_string());
        fs::write(&new, bytes)?;
        make_executable(&new)?;
        // As old as its source: Cargo would take a newer one for changed, and compile all again.
        let modified = fs::metadata(MAIN)?.modified()?;
        fs::File::options()
            .append(true)
            .open(&new)?
            .set_modified(modified)?;
        fs::rename(&new, path)?;
    }
    make_executable(path)
}

/// Sets the permission, unless it is there: the tree may be someone else's.
fn make_executable(path: &Path) -> io::Result<()> {
    match fs::metadata(path)?.permissions().mode() & 0o111 {
        0o111 => Ok(()),
        _ => fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
    }
}
