//! What the folders of the translator may know of each other, as far as the compiler does not see to it:
//! nothing of a guest, nothing of a host in `ir/`. And that no other crate names a guest.

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
    let words = ["unicorn", "slot::SP"];
    for folder in ["ir", "host", "cache", "engine"] {
        let found = mentions(folder, &words);
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

/// What an identifier is made of, in lower case: `be8`, `linux` of `Be8Linux` and `BE8_LINUX`.
fn parts(identifier: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = '_';
    for c in identifier.chars() {
        if c == '_' || c.is_uppercase() && !before.is_uppercase() {
            parts.push(String::new());
        }
        if c != '_'
            && let Some(last) = parts.last_mut()
        {
            last.extend(c.to_lowercase());
        }
        before = c;
    }
    parts
}

/// The guests are in their own crate: all others know them by what they implement.
#[test]
fn guests_are_named_in_their_own_crate_only() {
    let crates = [
        "cpu",
        "kernel",
        "launcher",
        "machine",
        "memory",
        "python",
        "store",
        "translator",
        "unicorn",
    ];
    // The folders of the guests, and other names for what is in them.
    let guests = Path::new(SRC).join("../../guests/src");
    let folders = std::fs::read_dir(guests).expect("the guests");
    let mut names: Vec<String> = folders
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir() && entry.file_name() != "tests")
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // What the host is called, too.
        .filter(|name| name != "simd" && name != "x86")
        .collect();
    assert!(names.iter().any(|name| name == "aarch64"), "{names:?}");
    names.extend(["arm64", "thumb", "a32", "a64", "t32", "t16"].map(String::from));
    let mut wrong = Vec::new();
    for name in crates {
        let mut files = Vec::new();
        sources(
            &Path::new(SRC).join("../..").join(name).join("src"),
            &mut files,
        );
        for path in files {
            let path = path.canonicalize().expect("a source");
            let is_test = path.components().any(|part| part.as_os_str() == "tests");
            if is_test || path.ends_with("tests.rs") || path.ends_with("layers.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a source");
            let code = text.split("#[cfg(test)]\nmod tests {").next();
            for (n, line) in code.unwrap_or_default().lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let identifiers = code.split(|c: char| !c.is_alphanumeric() && c != '_');
                for identifier in identifiers {
                    let whole = identifier.to_lowercase();
                    let long = |name: &&String| name.len() > 4 && whole.contains(name.as_str());
                    let part = |name: &String| parts(identifier).contains(name);
                    if names.iter().any(part) || names.iter().any(|name| long(&name)) {
                        wrong.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // It would have found them.
    assert!(parts("FrameKind").contains(&"frame".into()));
    assert!(parts("ArmBe8").contains(&"arm".into()) && parts("MIN_ARM").contains(&"arm".into()));
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
