//! What the guests are called, whichever core runs them. `qusr/arch/__init__.py` has the same list for
//! Python (tests/test_layers.py compares them); `native/python/build.rs` makes a command for each name.

/// The name of each guest, and others that it has.
pub const NAMES: [(&str, &[&str]); 16] = [
    ("aarch64", &["arm64"]),
    ("aarch64_be", &[]),
    ("arm", &["armhf", "armel"]),
    ("armeb", &[]),
    ("i386", &["i486", "i586", "i686"]),
    ("mips", &[]),
    ("mips64", &[]),
    ("mips64el", &[]),
    ("mipsel", &[]),
    ("mipsn32", &[]),
    ("mipsn32el", &[]),
    ("ppc", &["powerpc"]),
    ("riscv32", &[]),
    ("riscv64", &[]),
    ("s390x", &[]),
    ("x86_64", &["amd64"]),
];

/// The guest that has this name.
#[must_use]
pub fn guest(name: &[u8]) -> Option<&'static str> {
    let mut all = NAMES.iter();
    let found = all.find(|(first, others)| {
        first.as_bytes() == name || others.iter().any(|other| other.as_bytes() == name)
    });
    found.map(|(first, _)| *first)
}
