//! The program with everything logged that can be: what the demo, the servers and a device print on standard
//! error names no device token, no id, no key and no address with a fingerprint; and they write nothing to disk.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ntf_core::model::server::Protocol;
use ntf_core::wire::text::address;
use ntf_tests::leaks::{Secrets, suspicious};
use serde_json::Value;

/// Nothing here takes this long, also in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks for everything, also of libraries, in every way in which `RUST_LOG` can.
const EVERYTHING: &str = "trace,h2=trace,h2::codec=trace,hyper=trace,rustls=trace,[{peer}]=trace";

#[test]
fn the_demo_logs_nothing_that_names_anybody() {
    let mut demo = Program::start(&["demo", "--messages", "10", "--devices", "2", "--queues", "2"]);
    let status = demo.ended();
    let logged = demo.logged();
    assert!(status.success(), "{logged}");
    assert!(logged.contains("loopback"), "standard error was read: {logged}");
    assert_eq!(suspicious(&logged), Vec::<String>::new());
}

#[test]
fn the_pieces_log_nothing_that_names_anybody() {
    let mut pieces = Pieces::after_a_message("logs");
    pieces.stop();
    let mut secrets = Secrets::default();
    secrets.text("message", MESSAGE);
    for (what, text, protocol) in [
        ("SMP server", &pieces.smp_address, Protocol::Smp),
        ("subscriber", &pieces.server_address, Protocol::Ntf),
    ] {
        let address = address::parse_server(text, protocol).expect("an address");
        secrets.bytes(what, address.identity.as_bytes());
    }
    let queue = address::parse_sender(&pieces.queue).expect("an address");
    secrets.bytes("sender id", queue.sender.as_bytes());
    let Pieces { smp, server, device, sender, .. } = &mut pieces;
    let told = [smp, server, device, sender].map(Program::logged);
    assert!(told[0].contains("SIGTERM") && told[1].contains("SIGTERM"), "standard error was read: {told:?}");
    for text in &told {
        assert_eq!(secrets.found_in(text), Vec::<String>::new(), "in {text}");
        assert_eq!(suspicious(text), Vec::<String>::new(), "in {text}");
    }
}

/// The promise that device tokens and queues are in memory only. What the simulator cannot show: no file is
/// made, none is open for writing, and no core file can be.
#[cfg(target_os = "linux")]
#[test]
fn a_server_in_use_writes_nothing_to_disk_and_leaves_no_core_file() {
    let mut pieces = Pieces::after_a_message("memory");
    for server in [&pieces.smp, &pieces.server] {
        assert_eq!(server.files_open(), Vec::<PathBuf>::new());
    }
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", pieces.server.child.id()));
    let limits = limits.expect("the process is there");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    pieces.stop();
    assert_eq!(pieces.folder.files(), ["stand-in.pem"], "only what they were told to write");
}

/// What is sent between the pieces.
const MESSAGE: &str = "the eagle has landed on marmalade";

/// Two servers, a device that has got a message, and its sender, each a process of its own that has nowhere to
/// write but one folder.
struct Pieces {
    folder: Folder,
    smp: Program,
    server: Program,
    device: Program,
    sender: Program,
    smp_address: String,
    server_address: String,
    queue: String,
}

impl Pieces {
    fn after_a_message(name: &str) -> Self {
        let folder = Folder::new(name);
        let ca = folder.path("stand-in.pem");
        let start = |arguments: &[&str]| Program::start_in(Some(&folder), arguments);
        let mut smp = start(&["smp", "--listen", "127.0.0.1:0", "--round-ms", "10"]);
        let mut server = start(&[
            "server",
            "--listen",
            "127.0.0.1:0",
            "--allow-private-addresses",
            "--stand-in",
            "127.0.0.1:0",
            "--stand-in-ca",
            &ca,
        ]);
        let (smp_address, server_address) = (smp.line(), server.line());
        let stand_in = server.logged_line("https://");
        let stand_in = stand_in.split(['/', ';', ' ']).find(|word| word.starts_with("localhost:"));
        let stand_in = format!("https://{}", stand_in.expect("the endpoint is named"));
        let mut device = start(&[
            "device",
            "watch",
            "--server",
            &server_address,
            "--smp",
            &smp_address,
            "--stand-in",
            &stand_in,
            "--stand-in-ca",
            &ca,
            "--messages",
            "1",
            "--json",
        ]);
        let queue = loop {
            let event: Value = serde_json::from_str(&device.line()).expect("JSON lines");
            if let Some(queue) = event.get("queue").and_then(Value::as_str) {
                break queue.to_owned();
            }
        };
        let mut sender = start(&["device", "send", &queue, MESSAGE]);
        assert!(sender.ended().success(), "{}", sender.logged());
        assert!(device.ended().success(), "{}", device.logged());
        Self { folder, smp, server, device, sender, smp_address, server_address, queue }
    }

    /// Ends the servers.
    fn stop(&mut self) {
        for server in [&mut self.server, &mut self.smp] {
            server.terminate();
            assert!(server.ended().success(), "{}", server.logged());
        }
    }
}

/// A run of the program that logs all it can.
struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
    log_lines: mpsc::Receiver<String>,
    logged: String,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        Self::start_in(None, arguments)
    }

    /// With this folder for whatever it might want to write.
    fn start_in(folder: Option<&Folder>, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ntf"));
        if let Some(Folder(folder)) = folder {
            command.current_dir(folder);
            for name in
                ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"]
            {
                command.env(name, folder);
            }
        }
        let mut child = command
            .args(arguments)
            .env("RUST_LOG", EVERYTHING)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = read_lines(child.stdout.take().expect("piped"));
        let log_lines = read_lines(child.stderr.take().expect("piped"));
        Self { child, lines, log_lines, logged: String::new() }
    }

    /// The next line of standard output.
    fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        assert!(line.is_ok(), "no line; it says: {}", self.logged());
        line.unwrap_or_default()
    }

    /// The next line of standard error that holds this.
    fn logged_line(&mut self, part: &str) -> String {
        loop {
            let line = self.log_lines.recv_timeout(PATIENCE).expect("a line in time");
            self.logged.push_str(&line);
            self.logged.push('\n');
            if line.contains(part) {
                return line;
            }
        }
    }

    /// All of standard error; waits for its end if the program has ended.
    fn logged(&mut self) -> String {
        while let Ok(line) = match self.child.try_wait() {
            Ok(Some(_)) => self.log_lines.recv_timeout(PATIENCE).map_err(|_| ()),
            Ok(None) | Err(_) => self.log_lines.try_recv().map_err(|_| ()),
        } {
            self.logged.push_str(&line);
            self.logged.push('\n');
        }
        self.logged.clone()
    }

    /// Files of a disk that it has open for writing. Empty also where the system lets nobody look.
    #[cfg(target_os = "linux")]
    fn files_open(&self) -> Vec<PathBuf> {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let Ok(open) = std::fs::read_dir(process.join("fd")) else { return Vec::new() };
        let is_written = |number: &std::ffi::OsStr| {
            let info = std::fs::read_to_string(process.join("fdinfo").join(number)).unwrap_or_default();
            let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or("0");
            // The last octal digit holds the access mode: 0 is reading alone.
            !flags.trim().ends_with(['0', '4'])
        };
        open.flatten()
            .filter(|entry| std::fs::metadata(entry.path()).is_ok_and(|file| file.is_file()))
            .filter(|entry| is_written(&entry.file_name()))
            .map(|entry| std::fs::read_link(entry.path()).unwrap_or_default())
            .collect()
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status().expect("kill can be run");
        assert!(status.success(), "the program was there to be asked");
    }

    /// Waits for the end; standard output must end before that.
    fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while let Ok(_) | Err(mpsc::RecvTimeoutError::Timeout) =
            self.lines.recv_timeout(Duration::from_secs(1))
        {
            assert!(Instant::now() < until, "the program goes on: {}", self.logged());
        }
        self.child.wait().expect("the program was started")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Fails when it has ended, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (tell, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ntf-program-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// The names of all it holds.
    #[cfg(target_os = "linux")]
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder is there");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
