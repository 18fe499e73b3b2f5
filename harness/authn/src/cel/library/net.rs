//! IP addresses and networks (`ip`, `cidr`).

use std::net::IpAddr;

use crate::golang::{ip, quote::quote};

/// An IP address, `net.IP`.
pub(super) fn parse_ip(text: &str) -> Result<IpAddr, String> {
    let quoted = quote(text);
    if let Err(error) = ip::check(text) {
        return Err(format!(
            "IP Address {quoted} parse error during conversion from string: {error}"
        ));
    }
    if text.contains('%') {
        return Err(format!(
            "IP address {quoted} with zone value is not allowed"
        ));
    }
    let address: IpAddr = text
        .parse()
        .map_err(|_| format!("IP Address {quoted} parse error"))?;
    if is_mapped(address) {
        return Err(format!("IPv4-mapped IPv6 address {quoted} is not allowed"));
    }
    Ok(address)
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// A network, `net.CIDR`: an address, whose host part may be set, and a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cidr {
    pub(super) address: IpAddr,
    pub(super) length: u8,
}

/// A network from text.
pub(super) fn parse_cidr(text: &str) -> Result<Cidr, String> {
    const CONTEXT: &str = "network address parse error during conversion from string";
    let cidr = prefix(text).map_err(|problem| {
        let quoted = quote(text);
        format!("{CONTEXT}: {CONTEXT}: netip.ParsePrefix({quoted}): {problem}")
    })?;
    if is_mapped(cidr.address) {
        let quoted = quote(text);
        return Err(format!(
            "{CONTEXT}: IPv4-mapped IPv6 address {quoted} is not allowed"
        ));
    }
    Ok(cidr)
}

fn prefix(text: &str) -> Result<Cidr, String> {
    let Some((address, length)) = text.rsplit_once('/') else {
        return Err("no '/'".to_owned());
    };
    ip::check(address)?;
    let Ok(parsed) = address.parse::<IpAddr>() else {
        return Err("IPv6 zones cannot be present in a prefix".to_owned());
    };
    let digits = length.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = length.len() > 1 && length.starts_with('0');
    let Some(length_value) = length
        .parse::<u32>()
        .ok()
        .filter(|_| digits && !leading_zero)
    else {
        return Err(format!("bad bits after slash: {}", quote(length)));
    };
    match u8::try_from(length_value) {
        Ok(length) if length <= bits(parsed) => Ok(Cidr {
            address: parsed,
            length,
        }),
        _ => Err("prefix length out of range".to_owned()),
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl Cidr {
    fn network(self) -> u128 {
        let host_bits = u32::from(bits(self.address) - self.length);
        number(self.address).checked_shr(host_bits).unwrap_or(0)
    }

    pub(super) fn contains(self, address: IpAddr) -> bool {
        let length = self.length;
        address.is_ipv4() == self.address.is_ipv4()
            && Self { address, length }.network() == self.network()
    }

    pub(super) fn contains_cidr(self, other: Self) -> bool {
        self.length <= other.length && self.contains(other.address)
    }

    /// The network with the host part cleared.
    pub(super) fn masked(self) -> Self {
        let host_bits = u32::from(bits(self.address) - self.length);
        let number = self.network().checked_shl(host_bits).unwrap_or(0);
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(number).unwrap_or(0).into()),
            IpAddr::V6(_) => IpAddr::V6(number.into()),
        };
        Self {
            address,
            length: self.length,
        }
    }

    pub(super) fn text(self) -> String {
        format!("{}/{}", self.address, self.length)
    }
}

/// Link-local multicast: 224.0.0.0/24 and ff02::/16.
pub(super) fn is_link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

/// Link-local unicast: 169.254.0.0/16 and fe80::/10.
pub(super) fn is_link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Anything that is not reserved for another use, private addresses included.
pub(super) fn is_global_unicast(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified()
        || broadcast
        || address.is_loopback()
        || address.is_multicast()
        || is_link_local_unicast(address))
}
