//! Whether the registries answer that the tools here are configured to use. No others are asked.

use serde_json::Value;

use super::{Finding, Machine};

/// A registry: what it serves, and where.
struct Registry {
    of: &'static str,
    url: String,
}

pub(super) fn look(machine: &dyn Machine) -> Vec<Finding> {
    let mut registries = go(machine);
    registries.extend(maven(machine));
    registries.extend(docker(machine));
    let proxy = ["HTTPS_PROXY", "https_proxy"];
    let proxy = proxy.iter().find_map(|name| machine.variable(name));
    std::thread::scope(|scope| {
        let asking: Vec<_> = registries
            .iter()
            .map(|registry| scope.spawn(|| ask(registry, proxy.as_deref(), machine)))
            .collect();
        asking
            .into_iter()
            .filter_map(|asking| asking.join().ok().flatten())
            .collect()
    })
}

fn go(machine: &dyn Machine) -> Vec<Registry> {
    if machine.program("go").is_none() {
        return Vec::new();
    }
    let Ok(answer) = machine.run("go", &["env", "GOPROXY"]) else {
        return Vec::new();
    };
    let proxies = answer.out.trim().split([',', '|']);
    proxies
        .filter(|proxy| proxy.starts_with("http"))
        .map(|url| Registry {
            of: "Go modules",
            url: url.to_owned(),
        })
        .collect()
}

/// The mirrors of the user's settings. Maven's own default is in no file that a person could read.
fn maven(machine: &dyn Machine) -> Vec<Registry> {
    let settings = machine
        .variable("HOME")
        .and_then(|home| machine.file(&format!("{home}/.m2/settings.xml")));
    let settings = settings.unwrap_or_default();
    let mirrors = settings.split("<mirror>").skip(1).filter_map(|mirror| {
        let (_, rest) = mirror.split("</mirror>").next()?.split_once("<url>")?;
        Some(rest.split_once("</url>")?.0.trim().to_owned())
    });
    mirrors
        .map(|url| Registry {
            of: "Maven artifacts",
            url,
        })
        .collect()
}

fn docker(machine: &dyn Machine) -> Vec<Registry> {
    if machine.program("docker").is_none() {
        return Vec::new();
    }
    let Ok(answer) = machine.run("docker", &["info", "--format", "{{json .}}"]) else {
        return Vec::new();
    };
    let info: Value = serde_json::from_str(&answer.out).unwrap_or_default();
    let mirrors = info["RegistryConfig"]["Mirrors"].as_array();
    let mut urls: Vec<&str> = mirrors
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if urls.is_empty() {
        urls.extend(info["IndexServerAddress"].as_str());
    }
    urls.into_iter()
        .filter(|url| !url.is_empty())
        .map(|url| Registry {
            of: "images",
            url: url.to_owned(),
        })
        .collect()
}

/// None for what is no URL of a host.
fn ask(registry: &Registry, proxy: Option<&str>, machine: &dyn Machine) -> Option<Finding> {
    let registry_itself = address(&registry.url)?;
    let of = registry.of;
    let host = registry_itself.0.clone();
    let (asked, by) = match proxy.and_then(address) {
        Some(proxy) => (proxy, " (by the proxy)"),
        None => (registry_itself, ""),
    };
    Some(match machine.reach(&asked.0, asked.1) {
        Ok(()) => Finding::good("registry", format!("{of}: {host} answers{by}")),
        Err(why) => Finding::note(
            "registry-silent",
            format!("{of}: {host} does not answer{by}: {why}"),
            "what is built or pulled already works without it",
        ),
    })
}

/// Host and port of a URL.
fn address(url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(url).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
}
