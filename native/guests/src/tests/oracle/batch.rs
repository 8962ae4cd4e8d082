//! What the batch oracles share: building the guest program, and asking it.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cpu::{CpuCore, Exit, Flow};
use crate::memory::{AddressSpace, MmapRequest};

/// A guest program under its emulator.
pub struct Oracle {
    emulator: PathBuf,
    options: Vec<String>,
    program: PathBuf,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.program);
    }
}

/// A program of the test suite's that prints where a tool is; None: there is none.
pub fn tool(name: &str, argument: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = Command::new(root.join("tools").join(name))
        .arg(argument)
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    let text = String::from_utf8(found.stdout).ok()?;
    found.status.success().then(|| text.trim().into())
}

impl Oracle {
    /// Builds the program of these sources; None without a cross compiler and the emulator, which is nothing to be
    /// silent about.
    pub fn new(
        compiler: &str,
        options: &[&str],
        sources: &[&str],
        emulator: Option<PathBuf>,
        how: &[&str],
    ) -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/oracle");
        let how_built = options.concat();
        let name = format!(
            "qusr-oracle-{}{how_built}-{}",
            sources[0],
            std::process::id()
        );
        let program = std::env::temp_dir().join(name);
        let built = Command::new(compiler)
            .args(["-O1", "-static"])
            .args(options)
            .arg("-o")
            .arg(&program)
            .args(sources.iter().map(|source| folder.join(source)))
            .status();
        let emulator = emulator.filter(|path| {
            let there = Command::new(path)
                .arg("--version")
                .stdout(Stdio::null())
                .status();
            there.is_ok_and(|status| status.success())
        });
        match (built, emulator) {
            (Ok(status), Some(emulator)) if status.success() => Some(Self {
                emulator,
                options: how.iter().map(|&text| text.into()).collect(),
                program,
            }),
            (built, emulator) => {
                let missing = if emulator.is_some() {
                    format!("{compiler} ({built:?})")
                } else {
                    "its emulator".into()
                };
                assert!(
                    std::env::var_os("CI").is_none(),
                    "{}: no {missing}",
                    sources[0]
                );
                eprintln!("{}: no {missing}: nothing is compared", sources[0]);
                None
            }
        }
    }

    /// Has it execute cases (their number, code and states in `input`): what it writes first, of `head` bytes, and
    /// the states that came out.
    pub fn ask(&self, input: Vec<u8>, head: usize, size: usize) -> (Vec<u8>, Vec<u8>) {
        let mut child = Command::new(&self.emulator)
            .args(&self.options)
            .arg(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator");
        let mut stdin = child.stdin.take().expect("a pipe");
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let mut out = Vec::new();
        let mut stdout = child.stdout.take().expect("a pipe");
        stdout.read_to_end(&mut out).expect("its output");
        let status = child.wait().expect("its status");
        assert!(
            feeder.join().expect("the feeder").is_ok() && status.success(),
            "{status}"
        );
        assert_eq!(out.len(), head + size);
        let states = out.split_off(head);
        (out, states)
    }
}

/// Maps memory of the guest's at an address of its own.
pub fn map(space: &AddressSpace, addr: u64, len: u64, prot: i32) {
    let request = MmapRequest {
        addr,
        len,
        prot,
        flags: libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        fd: -1,
        offset: 0,
    };
    assert_eq!(space.mmap(request), Ok(addr));
}

/// Has a core carry out what is at its pc, in steps or as it runs usually, to the exception that ends it.
pub fn carry_out(core: &mut dyn CpuCore, steps: bool) -> Exit {
    for _ in 0..10_000 {
        let exit = if steps {
            core.step()
        } else {
            core.run(&mut |_, _| Flow::Leave)
        };
        if exit != Exit::Interrupted {
            return exit;
        }
    }
    panic!("it does not end");
}
