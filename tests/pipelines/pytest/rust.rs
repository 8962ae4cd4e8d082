//! libtest: a test that passes, one that panics as it should, one that fails, one that is ignored.

#[test]
fn words_are_of_the_target() {
    println!("{} bytes", size_of::<usize>());
    assert_eq!(size_of::<usize>(), if cfg!(target_arch = "arm") { 4 } else { 8 });
}

mod sums {
    #[test]
    #[should_panic(expected = "not five")]
    fn panic_as_they_should() {
        panic!("not five");
    }

    #[test]
    fn are_wrong() {
        assert_eq!(2 + 2, 5);
    }

    #[test]
    #[ignore = "no engine, today"]
    fn need_an_engine() {}
}
