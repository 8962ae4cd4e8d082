//! What Unicorn cannot judge of A32 and T32. Floating point and Advanced SIMD have a table of their own, of which
//! each line is judged by qemu-user (`tests::oracle`).

/// Lines of the tables that are not compared here, and who looks at them.
pub const ELSEWHERE: &[(&str, &str)] = &[(
    "mrrc",
    "a clock, which differs from run to run: testbins/c/cpu/counter.c",
)];

/// The line in which nothing is defined: there "undefined" is what is to be agreed upon.
pub const UNALLOCATED: &str = "unconditional";

#[test]
fn exempt_lines_exist() {
    use crate::arm::Kind;
    let lines = || {
        [Kind::A32, Kind::T32, Kind::T16]
            .into_iter()
            .flat_map(|k| k.table())
    };
    for name in ELSEWHERE.iter().map(|e| e.0).chain([UNALLOCATED]) {
        assert!(lines().any(|l| l.name == name), "no line {name}");
    }
}
