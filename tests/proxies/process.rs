//! A proxy process: starting it, reloading it, killing it.
//!
//! It listens on an address of its own within `127.0.0.0/8`, below the ports that the kernel gives
//! out, so that no other test can have it. Dropping it kills the whole process group.

use crate::deployed::{Kind, Place};
use crate::support::dice::Dice;
use crate::support::eventually::eventually;
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use http_body_util::Full;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    kind: Kind,
    folder: TempDir,
    address: SocketAddr,
    process: Option<Child>,
}

impl Proxy {
    /// Starts one in front of a server, with some texts of its file replaced by others.
    pub(crate) async fn start(kind: Kind, server: &TestServer, replaced: &[(&str, &str)]) -> Self {
        let mut proxy = Self::prepare(kind, server, replaced, false);
        proxy.launch();
        let rest = Rest::new(proxy.address);
        eventually("the proxy passes requests on", async || {
            proxy.assert_running();
            let request = hyper::Request::get("/readyz").header("host", "test");
            let answer = rest.exchange(request.body(Full::default()).expect("valid")).await;
            answer.is_ok_and(|answer| answer.status.is_success()).then_some(())
        })
        .await;
        proxy
    }

    /// Starts one that ends TLS with a certificate of its own.
    pub(crate) fn start_with_tls(kind: Kind, server: &TestServer) -> Self {
        let mut proxy = Self::prepare(kind, server, &[], true);
        proxy.launch();
        proxy
    }

    fn prepare(kind: Kind, server: &TestServer, replaced: &[(&str, &str)], is_tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listen = nobodys_address();
        let backends = server.addresses();
        let place = Place { folder: folder.path(), listen, is_tls, backends };
        let text = kind.configuration(&place, replaced);
        fs::write(folder.path().join(kind.file()), text).expect("written");
        Self { kind, folder, address: listen, process: None }
    }

    fn launch(&mut self) {
        let config = self.path(self.kind.file()).display().to_string();
        let spawn = |program: &str| {
            let output = File::options().create(true).append(true).open(self.path("output"));
            let output = output.expect("a log file");
            Command::new(program)
                .args(self.kind.arguments(&config))
                .env("HOME", self.folder.path())
                .stdin(Stdio::null())
                .stdout(output.try_clone().expect("the same file"))
                .stderr(output)
                .process_group(0)
                .spawn()
        };
        let program = self.kind.program();
        // Where the packages put it, which is not on everybody's path.
        let child = spawn(program).or_else(|_absent| spawn(&format!("/usr/sbin/{program}")));
        self.process = Some(child.unwrap_or_else(|error| {
            panic!("{program} cannot be run ({error}): see `make proxies` for what to install")
        }));
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has it read its file again while it goes on.
    pub(crate) fn reload(&self) {
        let signal = match self.kind {
            Kind::Nginx | Kind::NginxStream => Signal::HUP,
            Kind::Haproxy => Signal::USR2,
            Kind::Caddy | Kind::Envoy => panic!("no signal reloads it"),
        };
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Kills it with all connections and starts it again.
    pub(crate) fn crash(&mut self) {
        self.kill();
        self.launch();
    }

    /// How many processes it consists of, those that only finish what they have included.
    pub(crate) fn processes(&self) -> usize {
        let group = self.pid().as_raw_nonzero().get().to_string();
        let processes = fs::read_dir("/proc").expect("Linux").filter_map(|entry| {
            let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
            // Behind the name: state, parent, process group.
            let (_, behind) = stat.rsplit_once(") ")?;
            let mut fields = behind.split(' ');
            (fields.next()? != "Z" && fields.nth(1)? == group).then_some(())
        });
        processes.count()
    }

    /// All that it has written and logged.
    pub(crate) fn logged(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        read("output") + &read("access")
    }

    /// Asserts that it has not ended by itself.
    pub(crate) fn assert_running(&mut self) {
        let ended = self.process.as_mut().and_then(|child| child.try_wait().expect("a child"));
        assert!(ended.is_none(), "{:?} has ended: {ended:?}\n{}", self.kind, self.logged());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn pid(&self) -> Pid {
        Pid::from_child(self.process.as_ref().expect("it runs"))
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            // It may have ended by itself.
            kill_process_group(Pid::from_child(&child), Signal::KILL).ok();
            child.wait().ok();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- {:?} on {}\n{}", self.kind, self.address, self.logged());
        }
    }
}

/// An address that nobody else will ask for.
pub(crate) fn nobodys_address() -> SocketAddr {
    let mut dice = Dice::new(getrandom::u64().expect("the system has randomness"));
    loop {
        let mut byte = || u8::try_from(dice.between(1, 254)).expect("it fits");
        let ip = [127, byte(), byte(), byte()];
        let port = u16::try_from(dice.between(20_000, 30_000)).expect("it fits");
        let address = SocketAddr::from((ip, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
