//! A proxy process, run from its file under `deploy` in which only addresses, paths and, where a test
//! says so, times are replaced.
//!
//! It listens on an address of its own within `127.0.0.0/8`, below the ports that the kernel gives
//! out, so that no other test can have it. Dropping it kills the whole process group.

use crate::support::dice::Dice;
use crate::support::eventually::eventually;
use crate::support::rest::Rest;
use crate::support::server::TestServer;
use http_body_util::Full;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// nginx that reads HTTP.
    Nginx,
    /// nginx that passes bytes on behind a PROXY header of version 1.
    NginxStream,
    /// `HAProxy`, which reads HTTP and sends a PROXY header of version 2.
    Haproxy,
    /// Caddy, likewise.
    Caddy,
    /// Envoy, likewise.
    Envoy,
}

impl Kind {
    /// Whether it tells the server whose connection it passes on.
    pub(crate) fn tells_client(self) -> bool {
        self != Self::Nginx
    }

    const fn file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::NginxStream => "nginx-stream.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Caddy => "Caddyfile",
            Self::Envoy => "envoy.yaml",
        }
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxStream => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
        }
    }

    fn arguments(self, config: &str) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::Nginx | Self::NginxStream => &["-e", "stderr", "-g", "daemon off;", "-c", config],
            Self::Haproxy => &["-W", "-db", "-f", config],
            Self::Caddy => &["run", "--adapter", "caddyfile", "--config", config],
            Self::Envoy => &["--use-dynamic-base-id", "-l", "warning", "-c", config],
        };
        arguments.iter().map(ToString::to_string).collect()
    }

    /// What is replaced in its file: where it listens, what it connects to, where it writes.
    fn places(self, place: &Place<'_>) -> Vec<(String, String)> {
        let Place { folder, listen, is_tls, backends } = place;
        let certificate = certificate();
        let path = |name: &str| folder.join(name).display().to_string();
        let ported = |address: &SocketAddr| {
            format!("{{ address: {}, port_value: {} }}", address.ip(), address.port())
        };
        let mut places = match self {
            Self::Nginx | Self::NginxStream => vec![
                ("user www-data;\n".to_owned(), String::new()),
                ("/run/nginx.pid".to_owned(), path("pid")),
                ("/var/log/nginx/error.log".to_owned(), "stderr".to_owned()),
                ("/var/log/nginx/chasqui.log".to_owned(), path("access")),
                (
                    "listen 443 ssl".to_owned(),
                    format!("listen {listen}{}", if *is_tls { " ssl" } else { "" }),
                ),
                ("/etc/nginx/chasqui.crt".to_owned(), certificate.display().to_string()),
                ("/etc/nginx/chasqui.key".to_owned(), certificate.display().to_string()),
            ],
            Self::Haproxy => vec![
                ("/dev/log".to_owned(), "stdout format raw".to_owned()),
                ("    user haproxy\n    group haproxy\n".to_owned(), String::new()),
                ("maxconn 100000".to_owned(), "maxconn 1000".to_owned()),
                if *is_tls {
                    (
                        ":443 ssl crt /etc/haproxy/chasqui.pem".to_owned(),
                        format!("{listen} ssl crt {}", certificate.display()),
                    )
                } else {
                    (
                        ":443 ssl crt /etc/haproxy/chasqui.pem alpn http/1.1".to_owned(),
                        listen.to_string(),
                    )
                },
            ],
            Self::Caddy => vec![(
                "chat.example.org {".to_owned(),
                format!(
                    "{{\n\tadmin off\n}}\n\nhttp://:{} {{\n\tbind {}",
                    listen.port(),
                    listen.ip()
                ),
            )],
            Self::Envoy => vec![
                (envoys_tls().to_owned(), "        - ".to_owned()),
                ("{ address: 0.0.0.0, port_value: 443 }".to_owned(), ported(listen)),
                ("{ address: 127.0.0.1, port_value: 8081 }".to_owned(), ported(&backends[0])),
                ("{ address: 127.0.0.1, port_value: 8082 }".to_owned(), ported(&backends[1])),
            ],
        };
        if self == Self::Nginx {
            let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
            let paths = kinds.map(|kind| format!("    {kind}_temp_path {};\n", path(kind)));
            places.push(("http {\n".to_owned(), format!("http {{\n{}", paths.concat())));
        }
        if self != Self::Envoy {
            places.push(("127.0.0.1:8081".to_owned(), backends[0].to_string()));
            places.push(("127.0.0.1:8082".to_owned(), backends[1].to_string()));
        }
        places
    }
}

/// What makes Envoy end TLS.
const fn envoys_tls() -> &'static str {
    "        - transport_socket:
            name: tls
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [http/1.1]
                tls_certificates:
                  - certificate_chain: { filename: /etc/envoy/chasqui.crt }
                    private_key: { filename: /etc/envoy/chasqui.key }
          "
}

/// Where a proxy stands.
struct Place<'a> {
    folder: &'a Path,
    listen: SocketAddr,
    is_tls: bool,
    backends: &'a [SocketAddr],
}

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
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(kind.file());
        let mut text = fs::read_to_string(file).expect("the file is there");
        let own = replaced.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned()));
        for (from, to) in own.chain(kind.places(&place)) {
            assert!(text.contains(&from), "deploy/{} does not say {from:?}", kind.file());
            text = text.replace(&from, &to);
        }
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

/// A file with a certificate that nobody trusts and its key, made once.
fn certificate() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let (key, certificate) = (folder.path().join("key"), folder.path().join("certificate"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-newkey", "ec", "-subj", "/CN=localhost"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"])
            .args([Path::new("-keyout"), &key, Path::new("-out"), &certificate])
            .stderr(Stdio::null())
            .status();
        assert!(made.expect("openssl runs").success(), "openssl makes a certificate");
        let read = |path| fs::read_to_string(path).expect("it is there");
        let both = folder.path().join("both");
        fs::write(&both, read(&certificate) + &read(&key)).expect("written");
        (folder, both)
    });
    path
}
