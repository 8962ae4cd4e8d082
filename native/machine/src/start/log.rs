//! `-d python`: a line for each time that Python is needed.

use super::Launch;
use crate::process::Stop;
use crate::thunk::exec::Review;

/// Notes that Python is about to decide on a stop.
pub fn entry(launch: &Launch, stop: &Stop) {
    let Some(place) = &launch.log else {
        return;
    };
    // SAFETY: takes nothing.
    let pid = unsafe { libc::getpid() };
    let line = format!("[{pid}] python starts: {}\n", reason(stop));
    let name = String::from_utf8_lossy(place).replace("%d", &pid.to_string());
    let written = match &*name {
        "" => None,
        name => std::fs::File::options()
            .append(true)
            .create(true)
            .open(name)
            .ok(),
    };
    let done = written.map(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()));
    if done.is_none() {
        // SAFETY: the buffer has the size given.
        unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
    }
}

fn reason(stop: &Stop) -> String {
    match stop {
        Stop::Syscall { handler, .. } => format!("call {handler}"),
        Stop::Review { review, .. } => {
            let what = match review {
                Review::ProcFd => "a file of /proc",
                Review::ExeLink | Review::ExeStat => "the program's link in /proc",
                Review::MemoryFile => "a file that stands for memory",
                Review::Tracer => "a tracer's wait",
            };
            what.to_owned()
        }
        Stop::Preload => "a call that may put its files out of reach".to_owned(),
        Stop::Killed { signal } => format!("death by signal {}", signal.0),
        other => format!("{other:?}"),
    }
}
