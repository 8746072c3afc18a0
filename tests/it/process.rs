//! The binary itself, as an operator runs it: for tests of commands, signals and crashes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// The binary with stage 0's settings, its data in `folder`, on ports that the system picks.
pub(crate) fn emporium(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emporium"));
    let database = format!("sqlite:{}", folder.join("emporium.db").display());
    command
        .current_dir(folder)
        .env("EMPORIUM__SERVER__LISTEN", "127.0.0.1:0")
        .env("EMPORIUM__SERVER__INTERNAL_LISTEN", "127.0.0.1:0")
        .env("EMPORIUM__SERVER__RATE_LIMIT_PER_MINUTE", "1000000")
        .env("EMPORIUM__SERVER__RATE_LIMIT_BURST", "1000000")
        .env("EMPORIUM__INVENTORY__DATABASE__URL", &database)
        .env("EMPORIUM__USER__DATABASE__URL", &database);
    command
}

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    emporium(folder).args(arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A served shop in a process of its own.
pub(crate) struct Process {
    pub(crate) address: String,
    child: Child,
}

impl Process {
    /// Starts it and waits until it takes requests.
    pub(crate) fn start(command: &mut Command) -> Process {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the process ended before it took requests:\n{seen}");
            seen.push_str(&line);
            let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
            if event["message"].as_str().is_some_and(|message| message.ends_with("takes requests")) {
                break event["address"].as_str().unwrap().to_owned();
            }
        };
        // The log goes on; somebody must read it, or the process would wait.
        std::thread::spawn(move || log.lines().for_each(drop));
        Process { address, child }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a signal by its name, as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
