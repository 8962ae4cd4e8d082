//! What the host's processor has, less what is not to be used.
//!
//! `QUSR_MASK_CPU=avx2,sha` makes qusr behave as on a processor without these features (names as of
//! `is_x86_feature_detected`), so that what it does there can be tested anywhere.

use std::sync::OnceLock;

const VARIABLE: &str = "QUSR_MASK_CPU";

/// Whether a feature is not to be used.
#[must_use]
pub fn is_masked(name: &str) -> bool {
    static MASKED: OnceLock<String> = OnceLock::new();
    let list = MASKED.get_or_init(|| std::env::var(VARIABLE).unwrap_or_default());
    lists(list, name)
}

fn lists(list: &str, name: &str) -> bool {
    list.split(',').any(|item| item.trim() == name)
}

/// Whether the host's processor has a feature that may be used.
macro_rules! host_has {
    ($name:tt) => {
        std::arch::is_x86_feature_detected!($name) && !$crate::host::x64::features::is_masked($name)
    };
}
pub(crate) use host_has;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole() {
        assert!(lists("avx2, sha", "sha") && lists("avx2", "avx2"));
        assert!(!lists("avx2,sha", "avx") && !lists("", "avx"));
    }
}
