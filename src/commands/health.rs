//! Asks the shop that runs here with this configuration how it is: the health check of a container.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use emporium::config::Config;

use crate::Failure;

const PATIENCE: Duration = Duration::from_secs(3);

/// Is it alive; or, where that is asked, does it take new requests? Exit code 1 if not.
pub(crate) fn health(config: &Config, ready: bool) -> Result<ExitCode, Failure> {
    let address = reachable(config.server.internal_listen);
    let path = if ready { "/readyz" } else { "/livez" };
    let status = ask(address, path).map_err(|error| Failure::Other(format!("no answer from {address}: {error}")))?;
    match status.split(' ').nth(1) {
        Some("200") => Ok(ExitCode::SUCCESS),
        _ => Err(Failure::Other(format!("{address}{path} answers {status:?}"))),
    }
}

/// Where this machine reaches what listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The first line of the answer.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
