//! Vector lengths that `-cpu` asks for, by qemu's properties (docs/system/arm/cpu-features.rst): `sve256=on`, `sve512=off`,
//! `sve-max-vq=4`, `sve-default-vector-length=32`.

/// A length in quadwords, by its bits.
fn quads(bits: &str) -> Option<u32> {
    let bits: u32 = bits.parse().ok()?;
    let fits = bits.is_multiple_of(128) && (128..=2048).contains(&bits);
    fits.then_some(bits / 128)
}

/// What one property says.
enum Wish {
    Has(u32, bool),
    Most(u32),
    /// In bytes.
    First(u32),
}

/// Linux begins programs with this many bytes, where there are so many.
const USUAL: u32 = 64;

fn wish(property: &str) -> Option<Result<Wish, String>> {
    let (name, value) = property.split_once('=')?;
    let bad = || Err(format!("-cpu: '{property}': no such length"));
    let wish = match name {
        "sve-max-vq" => match value.parse() {
            Ok(n @ 1..=16) => Ok(Wish::Most(n)),
            _ => bad(),
        },
        "sve-default-vector-length" => match value.parse::<i64>() {
            Ok(-1) => Ok(Wish::First(u32::MAX)),
            Ok(n @ 16..=8192) if n % 16 == 0 => Ok(Wish::First(n as u32)),
            _ => bad(),
        },
        _ => {
            let bits = name
                .strip_prefix("sve")
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))?;
            match (quads(bits), value) {
                (Some(n), "on" | "true") => Ok(Wish::Has(n, true)),
                (Some(n), "off" | "false") => Ok(Wish::Has(n, false)),
                _ => bad(),
            }
        }
    };
    Some(wish)
}

/// Whether a property is about lengths, so that it is not one of models.
#[must_use]
pub fn concerns(property: &str) -> bool {
    wish(property).is_some()
}

/// The lengths of a model (among its features), narrowed down to what is asked for; and the first one of its programs.
///
/// # Errors
/// A length that there is not, or wishes that exclude each other.
pub fn choose(features: &mut Vec<String>, asked: &[&str]) -> Result<(), String> {
    let length = |f: &String| f.strip_prefix("sve").and_then(quads);
    let mut has: u32 = features
        .iter()
        .filter_map(length)
        .fold(0, |all, n| all | 1 << n);
    let (mut on, mut off, mut first) = (0u32, 0u32, USUAL);
    for property in asked {
        match wish(property).unwrap_or_else(|| Err(format!("-cpu: '{property}'")))? {
            Wish::Has(n, true) => on |= 1 << n,
            Wish::Has(n, false) => off |= 1 << n,
            Wish::Most(n) => has &= (1 << (n + 1)) - 1,
            Wish::First(bytes) => first = bytes,
        }
    }
    if on & !has != 0 {
        return Err("-cpu: a vector length that this CPU has not".into());
    }
    if on != 0 {
        // With the powers of two below, which there have to be.
        let most = 31 - on.leading_zeros();
        let powers = (0..5).map(|k| 1u32 << (1u32 << k)).sum::<u32>() & ((1 << most) - 1);
        has &= on | powers;
    }
    // Without a power of two there is none above it.
    let gone = (0..5).map(|k| 1u32 << k).find(|n| off >> n & 1 != 0);
    let below = gone.map_or(u32::MAX, |n| (1 << n) - 1);
    let left = has & !off & below;
    if left == 0 || on & !left != 0 {
        return Err("-cpu: these vector lengths exclude each other".into());
    }
    let fits = left & (u32::MAX >> (31 - (first / 16).min(16)));
    let begin = 31
        - if fits != 0 {
            fits
        } else {
            left & left.wrapping_neg()
        }
        .leading_zeros();
    features.retain(|f| length(f).is_none());
    let lengths = (1..=16).filter(|n| left >> n & 1 != 0);
    features.extend(lengths.map(|n| format!("sve{}", 128 * n)));
    features.push(format!("sve-default-{begin}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(model: &[u32], asked: &[&str]) -> Result<String, String> {
        let mut features: Vec<String> = model.iter().map(|n| format!("sve{n}")).collect();
        choose(&mut features, asked)?;
        Ok(features.join(" "))
    }

    #[test]
    fn lengths_as_qemu_has_them() {
        let all: Vec<u32> = (1..=16).map(|n| 128 * n).collect();
        let is = |asked: &[&str], want: &str| assert_eq!(chosen(&all, asked).as_deref(), Ok(want));
        is(&["sve256=on"], "sve128 sve256 sve-default-2");
        is(
            &["sve512=on", "sve384=on"],
            "sve128 sve256 sve384 sve512 sve-default-4",
        );
        is(&["sve-max-vq=3"], "sve128 sve256 sve384 sve-default-3");
        is(&["sve256=off"], "sve128 sve-default-1");
        is(
            &["sve1024=on", "sve-default-vector-length=-1"],
            "sve128 sve256 sve512 sve1024 sve-default-8",
        );
        is(
            &["sve1024=on", "sve-default-vector-length=32"],
            "sve128 sve256 sve512 sve1024 sve-default-2",
        );
        assert!(chosen(&[128, 256], &["sve512=on"]).is_err());
        assert!(chosen(&all, &["sve512=on", "sve256=off"]).is_err());
        assert!(chosen(&all, &["sve128=off"]).is_err());
        assert!(chosen(&all, &["sve-max-vq=17"]).is_err());
        assert!(concerns("sve2048=off") && !concerns("sve=on") && !concerns("pauth=off"));
    }
}
