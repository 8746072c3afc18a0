//! How the process is reached, and what it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Check;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// So many processes of this shop run at the same time; more of them, as while one is replaced, are no fault.
    pub nodes: u32,
    pub listen: SocketAddr,
    pub internal_listen: SocketAddr,
    /// Empty in a file: [`ServerConfig::own_url`].
    pub public_url: String,
    pub workers: u32,
    pub connections_max: u32,
    pub body_max_bytes: u32,
    pub import_max_bytes: u32,
    pub request_timeout_ms: u32,
    pub header_timeout_ms: u32,
    pub keep_alive_seconds: u32,
    pub drain_ms: u32,
    pub shutdown_timeout_seconds: u32,
    pub rate_limit_per_minute: u32,
    pub rate_limit_burst: u32,
    pub trusted_proxies: Vec<Proxy>,
}

/// A proxy's address, or a network of such, as `10.0.0.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proxy(IpNet);

impl Proxy {
    pub fn has(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Proxy, String> {
        let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse());
        network
            .map(Proxy)
            .map_err(|_| format!("{text}: must be an address, as 10.0.0.10, or a network, as 10.0.0.0/24"))
    }
}

impl TryFrom<String> for Proxy {
    type Error = String;

    fn try_from(text: String) -> Result<Proxy, String> {
        text.parse()
    }
}

impl From<Proxy> for String {
    fn from(Proxy(network): Proxy) -> String {
        match network.prefix_len() == network.max_prefix_len() {
            true => network.addr().to_string(),
            false => network.to_string(),
        }
    }
}

impl ServerConfig {
    /// Where a browser on this machine finds what listens at `listen`.
    pub fn own_url(listen: SocketAddr) -> String {
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        let url = format!("http://{}", SocketAddr::new(ip, listen.port()));
        // As browsers write it.
        url.strip_suffix(":80").map_or(url.clone(), str::to_owned)
    }

    pub(super) fn validate(&self, check: &mut Check) {
        check.range("server.nodes", self.nodes, 1, 1_000);
        check.range("server.workers", self.workers, 0, 1024);
        check.range("server.connections_max", self.connections_max, 10, 1_000_000);
        check.range("server.body_max_bytes", self.body_max_bytes, 1_024, 1 << 30);
        check.range("server.import_max_bytes", self.import_max_bytes, 1_024, 1 << 30);
        check.range("server.request_timeout_ms", self.request_timeout_ms, 100, 600_000);
        check.range("server.header_timeout_ms", self.header_timeout_ms, 100, 600_000);
        check.range("server.keep_alive_seconds", self.keep_alive_seconds, 1, 3_600);
        check.range("server.drain_ms", self.drain_ms, 0, 600_000);
        check.range("server.shutdown_timeout_seconds", self.shutdown_timeout_seconds, 1, 600);
        check.range("server.rate_limit_per_minute", self.rate_limit_per_minute, 1, 10_000_000);
        check.range("server.rate_limit_burst", self.rate_limit_burst, 1, 1_000_000);
        check.that(
            "server.internal_listen",
            self.listen != self.internal_listen || self.listen.port() == 0,
            "must differ from server.listen: what it serves is not for the public",
        );
        check.url("server.public_url", &self.public_url);
    }
}
