//! What the folders of the translator may know of each other, as far as the compiler does not see to it:
//! nothing of a guest, nothing of a host in `ir/`.

use std::path::{Path, PathBuf};

const SRC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Lines of code (not comments) in `folder` that contain one of `words`.
fn mentions(folder: &str, words: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    sources(&Path::new(SRC).join(folder), &mut files);
    assert!(!files.is_empty(), "{folder} has moved");
    let mut found = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("a source");
        for (n, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|w| code.contains(w)) {
                found.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn nothing_of_a_guest() {
    let words = ["aarch64", "AArch64", "arm64", "unicorn", "slot::SP"];
    for folder in ["ir", "host", "cache", "engine"] {
        let found = mentions(folder, &words);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

#[test]
fn nothing_of_a_host_in_the_intermediate_representation() {
    // Floating point is computed by the host's instructions, in one file.
    let mut found = mentions(
        "ir",
        &[
            "crate::host",
            "crate::engine",
            "crate::cache",
            "x64",
            "core::arch",
            "asm!(",
        ],
    );
    found.retain(|l| !l.contains("/ir/float"));
    assert!(found.is_empty(), "{}", found.join("\n"));
}
