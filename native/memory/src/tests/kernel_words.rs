//! Words of the guest's kernel.

use super::space;

#[test]
fn they_come_and_go() {
    let space = space();
    assert_eq!(space.kernel_words(), []);
    assert_eq!(space.kernel_word_changes(), 0);
    space.clear().unwrap();
    assert_eq!(space.kernel_word_changes(), 0);
    space.set_kernel_word(3, 1, 7);
    space.set_kernel_word(3, 2, 8);
    assert_eq!(space.kernel_words(), [0, 7, 8]);
    let before = space.kernel_word_changes();
    space.clear().unwrap();
    assert_eq!(space.kernel_words(), []);
    assert_ne!(space.kernel_word_changes(), before);
}
