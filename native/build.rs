//! Compiles the launcher that `qusr-binfmt` registers; `src/launcher.rs` takes it into the
//! extension, so that every way of installing the package brings it along.

use std::env;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "launcher/src/main.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let out = Path::new(&variable("OUT_DIR")).join("qusr-interp");
    // Static: in a chroot the host's libraries are not there. It needs libc.a (libc6-dev).
    if compile(&variable("RUSTC"), &variable("TARGET"), &out, true) {
        return;
    }
    println!("cargo::warning=no static C library: qusr-interp will not start in a chroot");
    assert!(
        compile(&variable("RUSTC"), &variable("TARGET"), &out, false),
        "{SOURCE} does not compile"
    );
}

fn compile(rustc: &str, target: &str, out: &Path, fixed: bool) -> bool {
    let mut command = Command::new(rustc);
    command.args([
        "--crate-name=qusr_interp",
        "--edition=2024",
        "-Copt-level=s",
    ]);
    command.args(["-Cpanic=abort", "-Cstrip=symbols", "--target", target]);
    if fixed {
        command.arg("-Ctarget-feature=+crt-static");
    }
    command.arg(SOURCE).arg("-o").arg(out);
    command.status().is_ok_and(|status| status.success())
}
