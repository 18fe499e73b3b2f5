//! The node that a cluster's API server runs in, as a component of the lab.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::docker;
use crate::backend::process::write;
use crate::backend::{LabError, Site};
use crate::exec::{self, Program};

/// Runs in the node: see there.
const SERVE: &str = include_str!("serve");

/// The node that the API server of a cluster runs in.
#[derive(Debug)]
pub(in crate::backend) struct Node {
    /// The cluster's name.
    name: String,
    container: String,
    docker: (&'static str, OsString),
    script: PathBuf,
    /// Its first API server runs as kubeadm has started it.
    is_new: AtomicBool,
}

impl Node {
    /// The node of a cluster that is to be made, which will find `folder` where it is here.
    pub(in crate::backend) fn new(
        cluster: String,
        folder: &Path,
        docker: (&'static str, OsString),
    ) -> Result<Self, LabError> {
        Ok(Self {
            container: format!("{cluster}-control-plane"),
            name: cluster,
            docker,
            script: write(folder.join("serve"), SERVE.as_bytes())?,
            is_new: AtomicBool::new(true),
        })
    }

    /// The cluster's.
    pub(in crate::backend) fn name(&self) -> &str {
        &self.name
    }

    pub(in crate::backend) fn container(&self) -> &str {
        &self.container
    }

    /// What starts the API server with the flags that are added to its arguments, and lives as long
    /// as it does.
    pub(in crate::backend) fn server(&self, site: &Site, name: &str) -> Result<Program, LabError> {
        self.program(site, name, "run")
    }

    /// Lives as long as the etcd that was marked. The node looks after its controllers itself.
    pub(in crate::backend) fn controllers(
        &self,
        site: &Site,
        name: &str,
    ) -> Result<Program, LabError> {
        self.program(site, name, "guard")
    }

    /// Docker's client as a component of the lab; it begins again when it is cut off.
    fn program(&self, site: &Site, name: &str, word: &str) -> Result<Program, LabError> {
        let script = self.script.clone().into_os_string();
        let container = self.container.clone().into();
        let exec = ["exec", "--env", exec::TOLD].map(OsString::from);
        let serve = [container, "bash".into(), script, word.into()];
        Ok(exec::followed(Program {
            name: name.to_owned(),
            path: docker::program()?,
            args: exec.into_iter().chain(serve).collect(),
            folder: site.folder.clone(),
            environment: vec![self.docker.clone()],
        }))
    }

    /// Ends the API server, and returns when it is gone; but not the first one, which has yet to be
    /// followed.
    pub(in crate::backend) async fn make_room(&self) -> Result<(), LabError> {
        if self.is_new.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.run("end").await
    }

    /// Writes down which etcd it has: any other one is too late.
    pub(in crate::backend) async fn mark(&self) -> Result<(), LabError> {
        self.run("mark").await
    }

    async fn run(&self, word: &str) -> Result<(), LabError> {
        let script = self.script.display().to_string();
        let run = ["exec", &self.container, "bash", &script, word];
        docker::ask(&run).await.map(drop)
    }

    /// What its first API servers have written to their logs, if there are any yet.
    pub(in crate::backend) async fn first_words(&self) -> String {
        let cut = r"cat /var/log/pods/kube-system_kube-apiserver-*/*/*.log | sed 's/^[^ ]* std[a-z]* [FP] //'";
        let said = docker::ask(&["exec", &self.container, "bash", "-c", cut]).await;
        said.unwrap_or_default()
    }
}
