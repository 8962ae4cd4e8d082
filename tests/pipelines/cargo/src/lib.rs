//! Tests that a runner of Cargo's runs.

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_the_target() {
        let machine = std::process::Command::new("uname").arg("-m").output();
        assert!(machine.is_ok());
        assert!(cfg!(target_arch = "aarch64") || cfg!(target_arch = "arm"));
    }

    #[test]
    fn threads_are_there() {
        let threads = (0..4).map(|number| std::thread::spawn(move || number * 2));
        let results = threads.collect::<Vec<_>>();
        let sum: i32 = results.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(sum, 12);
    }
}
