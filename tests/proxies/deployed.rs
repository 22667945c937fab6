//! The files under `deploy` as tests run them: only addresses, paths and, where a test says so, times
//! are replaced. A text that is to be replaced and is not there fails the test, so the files cannot
//! drift away from what was tested.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

/// Where a proxy stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// What it writes goes here.
    pub folder: &'a Path,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it ends TLS there.
    pub is_tls: bool,
    /// The two addresses of the server.
    pub backends: &'a [SocketAddr],
}

/// A text in a file, and what stands in its place.
type Replacement = (&'static str, String);

impl Kind {
    /// Whether it tells the server whose connection it passes on.
    pub(crate) fn tells_client(self) -> bool {
        self != Self::Nginx
    }

    /// The name of its file.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::NginxStream => "nginx-stream.conf",
            Self::Haproxy => "haproxy.cfg",
            Self::Caddy => "Caddyfile",
            Self::Envoy => "envoy.yaml",
        }
    }

    /// The name of its program.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Nginx | Self::NginxStream => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
        }
    }

    /// What runs it in the foreground on a file.
    pub(crate) fn arguments(self, file: &str) -> Vec<String> {
        let arguments: &[&str] = match self {
            Self::Nginx | Self::NginxStream => &["-e", "stderr", "-g", "daemon off;", "-c", file],
            Self::Haproxy => &["-W", "-db", "-f", file],
            Self::Caddy => &["run", "--adapter", "caddyfile", "--config", file],
            Self::Envoy => &["--use-dynamic-base-id", "-l", "warning", "-c", file],
        };
        arguments.iter().map(ToString::to_string).collect()
    }

    /// Its file for a place, with some texts replaced by others.
    ///
    /// # Panics
    /// If the file does not say what is to be replaced.
    pub(crate) fn configuration(self, place: &Place<'_>, replaced: &[(&str, &str)]) -> String {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(self.file());
        let mut text = fs::read_to_string(file).expect("the file is there");
        let mut replace = |from: &str, to: &str| {
            assert!(text.contains(from), "deploy/{} does not say {from:?}", self.file());
            text = text.replace(from, to);
        };
        for (from, to) in replaced {
            replace(from, to);
        }
        let places = match self {
            Self::Nginx => [nginx(place), nginx_http(place), backends(place)].concat(),
            Self::NginxStream => [nginx(place), backends(place)].concat(),
            Self::Haproxy => [haproxy(place), backends(place)].concat(),
            Self::Caddy => [caddy(place), backends(place)].concat(),
            Self::Envoy => envoy(place),
        };
        for (from, to) in &places {
            replace(from, to);
        }
        text
    }
}

fn backends(place: &Place<'_>) -> Vec<Replacement> {
    vec![
        ("127.0.0.1:8081", place.backends[0].to_string()),
        ("127.0.0.1:8082", place.backends[1].to_string()),
    ]
}

fn path(place: &Place<'_>, name: &str) -> String {
    place.folder.join(name).display().to_string()
}

fn nginx(place: &Place<'_>) -> Vec<Replacement> {
    let tls = if place.is_tls { " ssl" } else { "" };
    vec![
        ("user www-data;\n", String::new()),
        ("/run/nginx.pid", path(place, "pid")),
        ("/var/log/nginx/error.log", "stderr".to_owned()),
        ("/var/log/nginx/chasqui.log", path(place, "access")),
        ("listen 443 ssl", format!("listen {}{tls}", place.listen)),
        ("/etc/nginx/chasqui.crt", certificate()),
        ("/etc/nginx/chasqui.key", certificate()),
    ]
}

/// Where nginx puts what it does not keep in memory: its own folders may not be ours to write to.
fn nginx_http(place: &Place<'_>) -> Vec<Replacement> {
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = kinds.map(|kind| format!("    {kind}_temp_path {};\n", path(place, kind)));
    vec![("http {\n", format!("http {{\n{}", paths.concat()))]
}

fn haproxy(place: &Place<'_>) -> Vec<Replacement> {
    let bind = if place.is_tls {
        (
            ":443 ssl crt /etc/haproxy/chasqui.pem",
            format!("{} ssl crt {}", place.listen, certificate()),
        )
    } else {
        (":443 ssl crt /etc/haproxy/chasqui.pem alpn http/1.1", place.listen.to_string())
    };
    vec![
        bind,
        ("/dev/log", "stdout format raw".to_owned()),
        ("    user haproxy\n    group haproxy\n", String::new()),
        // As many as the limit of open files here allows.
        ("maxconn 100000", "maxconn 1000".to_owned()),
    ]
}

fn caddy(place: &Place<'_>) -> Vec<Replacement> {
    let (ip, port) = (place.listen.ip(), place.listen.port());
    // As a host name the address would be compared with what clients call the server.
    let site = format!("{{\n\tadmin off\n}}\n\nhttp://:{port} {{\n\tbind {ip}");
    vec![("chat.example.org {", site)]
}

fn envoy(place: &Place<'_>) -> Vec<Replacement> {
    let at = |address: SocketAddr| {
        format!("{{ address: {}, port_value: {} }}", address.ip(), address.port())
    };
    vec![
        (ENVOYS_TLS, "        - ".to_owned()),
        ("{ address: 0.0.0.0, port_value: 443 }", at(place.listen)),
        ("{ address: 127.0.0.1, port_value: 8081 }", at(place.backends[0])),
        ("{ address: 127.0.0.1, port_value: 8082 }", at(place.backends[1])),
    ]
}

/// What makes Envoy end TLS.
const ENVOYS_TLS: &str = "        - transport_socket:
            name: tls
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [http/1.1]
                tls_certificates:
                  - certificate_chain: { filename: /etc/envoy/chasqui.crt }
                    private_key: { filename: /etc/envoy/chasqui.key }
          ";

/// A file with a certificate that nobody trusts and its key, made once.
fn certificate() -> String {
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
    path.display().to_string()
}
