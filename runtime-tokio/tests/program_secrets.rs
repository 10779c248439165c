//! The program with everything logged that can be: what the demo, the servers and a device print on standard
//! error names no device token, no id, no key and no address with a fingerprint.

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
    let folder = Folder::new();
    let ca = folder.path("stand-in.pem");
    let mut smp = Program::start(&["smp", "--listen", "127.0.0.1:0", "--round-ms", "10"]);
    let mut server = Program::start(&[
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
    let mut device = Program::start(&[
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
    let mut sender = Program::start(&["device", "send", &queue, "the eagle has landed on marmalade"]);
    assert!(sender.ended().success(), "{}", sender.logged());
    assert!(device.ended().success(), "{}", device.logged());
    for server in [&mut server, &mut smp] {
        server.terminate();
        assert!(server.ended().success(), "{}", server.logged());
    }

    let mut secrets = Secrets::default();
    secrets.text("message", "the eagle has landed on marmalade");
    for (what, text, protocol) in
        [("SMP server", &smp_address, Protocol::Smp), ("subscriber", &server_address, Protocol::Ntf)]
    {
        let address = address::parse_server(text, protocol).expect("an address");
        secrets.bytes(what, address.identity.as_bytes());
    }
    let queue = address::parse_sender(&queue).expect("an address");
    secrets.bytes("sender id", queue.sender.as_bytes());
    let told = [&mut smp, &mut server, &mut device, &mut sender].map(Program::logged);
    assert!(told[0].contains("SIGTERM") && told[1].contains("SIGTERM"), "standard error was read: {told:?}");
    for text in &told {
        assert_eq!(secrets.found_in(text), Vec::<String>::new(), "in {text}");
        assert_eq!(suspicious(text), Vec::<String>::new(), "in {text}");
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
        let mut child = Command::new(env!("CARGO_BIN_EXE_ntf"))
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
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("ntf-program-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
