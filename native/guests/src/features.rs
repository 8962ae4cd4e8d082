//! What a CPU model has: an instruction whose feature it lacks is undefined.

/// A set of features of one instruction set, which gives each its bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(pub u128);

impl Features {
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What these names stand for in `table`.
    #[must_use]
    pub fn named(names: &[String], table: &[(&str, Self)]) -> Self {
        let known = table.iter().filter(|f| names.iter().any(|x| x == f.0));
        known.fold(Self::default(), |all, f| all.and(f.1))
    }
}

/// Constants of features: a name, and its bit.
macro_rules! features {
    ($($(#[$doc:meta])* $name:ident $bit:literal;)*) => {
        $($(#[$doc])* pub const $name: $crate::features::Features = $crate::features::Features(1 << $bit);)*
    };
}

pub(crate) use features;
