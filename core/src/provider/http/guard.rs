//! Which addresses of a workspace's choice are connected to: public ones, and those that whoever runs the server allows.
//! Judged is the very address that a connection is made to, after its name was resolved.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};

use crate::error::{Error, Result};
use crate::provider::{Access, NO_URL};
use crate::tool::{IpRefusal, check_address};

/// A private place that workspaces may name: a host or a network, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    place: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Name(String),
    /// An address, and how many of its bits count.
    Network(IpAddr, u32),
}

impl Allowed {
    /// `gateway.internal`, `gateway.internal:8080`, `10.1.2.3`, `10.0.0.0/8`, `[fd00::1]:8080`, `fd00::/8`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(network) = network(text) {
            return Some(Self { place: network, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let place = match network(host) {
            Some(network) => network,
            None if host.contains(['/', ':', '@', '?', '#', '\\', ' ', '*']) || host.is_empty() => return None,
            None => Place::Name(as_name(host)),
        };
        Some(Self { place, port })
    }

    fn has(&self, address: IpAddr, port: Option<u16>) -> bool {
        let Place::Network(network, bits) = self.place else { return false };
        let same = match (network, plain(address)) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                agree(network.to_bits().into(), address.to_bits().into(), 32, bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => agree(network.to_bits(), address.to_bits(), 128, bits),
            _ => false,
        };
        same && (self.port.is_none() || self.port == port)
    }

    fn is_named(&self, name: &str, port: Option<u16>) -> bool {
        matches!(&self.place, Place::Name(allowed) if *allowed == as_name(name))
            && (self.port.is_none() || self.port == port)
    }
}

/// An IPv4 address may come as the IPv6 address that stands for it.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn agree(one: u128, other: u128, width: u32, bits: u32) -> bool {
    bits == 0 || (one ^ other) >> (width - bits) == 0
}

fn network(text: &str) -> Option<Place> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some(Place::Network(address, bits))
}

/// A name as it is compared: in small letters, without the dot that says that it is whole.
fn as_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Reads the option `http.allowPrivate`.
///
/// # Errors
/// `INVALID_INPUT` naming the entry.
pub(super) fn allowed(entries: &[String]) -> Result<Vec<Allowed>> {
    let read = |(index, text): (usize, &String)| {
        let problem = "must be a host, an IP address or a network such as 10.0.0.0/8, with or without a port";
        Allowed::read(text).ok_or_else(|| Error::invalid(format!("http.allowPrivate[{index}]"), problem))
    };
    entries.iter().enumerate().map(read).collect()
}

/// Why nothing was sent to an address.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// It is, or may be, inside the host's network.
    #[error("the address is not a public one ({0}); whoever runs the server can allow it with http.allowPrivate")]
    Private(IpRefusal),
    /// It is none that requests can be sent to.
    #[error("{0}")]
    Unusable(&'static str),
}

/// Who tells the addresses of a name, with a port.
#[derive(Clone)]
pub(super) struct Names(Arc<LookUp>);

type LookUp = dyn Fn(String, u16) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> + Send + Sync;

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// The machine's own resolver.
    pub(super) fn of_machine() -> Self {
        Self(Arc::new(|name, port| Box::pin(async move { Ok(tokio::net::lookup_host((name, port)).await?.collect()) })))
    }

    /// A resolver of a test's.
    #[cfg(test)]
    pub(super) fn given(
        answer: impl Fn(String, u16) -> std::io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |name, port| Box::pin(std::future::ready(answer(name, port)))))
    }

    async fn look_up(&self, name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        (self.0)(name.to_owned(), port).await
    }
}

/// Looks up names, and gives their addresses only when all of them are allowed: nobody can say which of them a
/// connection takes. What it gives is what is connected to: nothing is looked up again in between.
pub(super) struct GuardedResolver {
    pub(super) names: Names,
    pub(super) allowed: Arc<Vec<Allowed>>,
    /// Hosts of proxies, which whoever runs the server has named.
    pub(super) proxies: Vec<String>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, is_proxy) = (Arc::clone(&self.allowed), self.proxies.contains(&as_name(name.as_str())));
        let names = self.names.clone();
        Box::pin(async move {
            let addresses = names.look_up(name.as_str(), 0).await?;
            if !is_proxy {
                check_all(&addresses, None, &allowed)?;
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn check_all(addresses: &[SocketAddr], port: Option<u16>, allowed: &[Allowed]) -> Result<(), Refused> {
    addresses.iter().try_for_each(|address| check(address.ip(), port, allowed))
}

fn check(address: IpAddr, port: Option<u16>, allowed: &[Allowed]) -> Result<(), Refused> {
    match check_address(address) {
        Err(refusal) if !allowed.iter().any(|entry| entry.has(address, port)) => Err(Refused::Private(refusal)),
        _ => Ok(()),
    }
}

/// The clients of an engine, and which of them may send a request.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    /// For addresses of whoever runs the server.
    pub(super) open: Client,
    /// For addresses of workspaces.
    pub(super) guarded: Client,
    pub(super) allowed: Arc<Vec<Allowed>>,
    pub(super) names: Names,
    /// Requests may go through a proxy, which connects by itself.
    pub(super) by_proxy: bool,
}

impl Clients {
    /// The client that may send a request there.
    ///
    /// # Errors
    /// Why nothing may be sent there.
    pub(super) async fn for_access(&self, access: &Access, url: &str) -> Result<&Client, Refused> {
        if let Some(problem) = access.problem {
            return Err(Refused::Unusable(problem));
        }
        if !access.by_workspace {
            return Ok(&self.open);
        }
        let not_a_url = || Refused::Unusable(NO_URL);
        let url = Url::parse(url).map_err(|_| not_a_url())?;
        let port = url.port_or_known_default();
        let name = url.host_str().ok_or_else(not_a_url)?;
        // Numbers in any form are an address to the parser, and are written as one.
        if let Ok(address) = name.trim_matches(['[', ']']).parse() {
            return check(address, port, &self.allowed).map(|()| &self.guarded);
        }
        if self.allowed.iter().any(|entry| entry.is_named(name, port)) {
            return Ok(&self.open);
        }
        // A proxy's connections cannot be looked at, so names are judged by what they are here; one that is unknown here
        // is the proxy's to judge.
        if self.by_proxy
            && let Ok(addresses) = self.names.look_up(name, port.unwrap_or_default()).await
        {
            check_all(&addresses, port, &self.allowed)?;
        }
        Ok(&self.guarded)
    }

    /// Whether a workspace may name this address: as far as that can be known before anything is sent there. What a name
    /// stands for by then is looked at again.
    ///
    /// # Errors
    /// Why not, without the address.
    pub(super) async fn check_place(&self, url: &str) -> Result<(), String> {
        let url = Url::parse(url).map_err(|_| "it is not a URL".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("only http and https are taken".to_owned());
        }
        let (Some(name), port) = (url.host_str().filter(|name| !name.is_empty()), url.port_or_known_default()) else {
            return Err("it is not a URL".to_owned());
        };
        let told = |refused: Refused| refused.to_string();
        // Numbers in any form, with or without a dot behind them, are an address to whoever connects.
        if let Ok(address) = name.trim_matches(['[', ']']).trim_end_matches('.').parse() {
            return check(address, port, &self.allowed).map_err(told);
        }
        if self.allowed.iter().any(|entry| entry.is_named(name, port)) {
            return Ok(());
        }
        match self.names.look_up(name, port.unwrap_or_default()).await {
            Ok(addresses) if !addresses.is_empty() => check_all(&addresses, port, &self.allowed).map_err(told),
            // A proxy may know names that are unknown here.
            _ if self.by_proxy => Ok(()),
            _ => Err("its host is not known".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(entries: &[&str], host: &str, port: u16) -> bool {
        let entries: Vec<_> = entries.iter().map(|entry| Allowed::read(entry).unwrap()).collect();
        match host.parse() {
            Ok(address) => check(address, Some(port), &entries).is_ok(),
            Err(_) => entries.iter().any(|entry| entry.is_named(host, Some(port))),
        }
    }

    #[test]
    fn private_places_can_be_allowed_one_by_one() {
        assert!(!is_allowed(&[], "127.0.0.1", 80));
        assert!(is_allowed(&[], "8.8.8.8", 80));
        assert!(is_allowed(&["127.0.0.1"], "127.0.0.1", 80));
        assert!(is_allowed(&["127.0.0.1"], "::ffff:127.0.0.1", 80));
        assert!(is_allowed(&["127.0.0.1:80"], "127.0.0.1", 80));
        assert!(!is_allowed(&["127.0.0.1:80"], "127.0.0.1", 81));
        assert!(is_allowed(&["10.1.0.0/16"], "10.1.200.3", 80));
        assert!(!is_allowed(&["10.1.0.0/16"], "10.2.0.1", 80));
        assert!(is_allowed(&["fd00::/8"], "fd12::1", 80));
        assert!(is_allowed(&["[fd00::1]:8080"], "fd00::1", 8080));
        assert!(is_allowed(&["0.0.0.0/0"], "192.168.0.1", 80));
        assert!(is_allowed(&["Gateway.Internal."], "gateway.internal", 80));
        assert!(is_allowed(&["gateway.internal:443"], "GATEWAY.internal.", 443));
        assert!(!is_allowed(&["gateway.internal:443"], "gateway.internal", 80));
        assert!(!is_allowed(&["internal"], "gateway.internal", 80));
    }

    #[test]
    fn entries_that_are_none_are_named() {
        for entry in ["", "http://h", "a b", "*.internal", "h:port", "10.0.0.0/33", "h/v1", "user@h", "[::1"] {
            let error = allowed(&["ok".to_owned(), entry.to_owned()]).unwrap_err();
            assert!(error.to_string().contains("http.allowPrivate[1]"), "{entry}");
        }
    }
}
