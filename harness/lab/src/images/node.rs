//! A node of a kind cluster: Debian, Kubernetes' programs, and the images of its own components.
//!
//! Three steps: a Debian (kept as an image of its own, since it seldom changes); the programs and
//! files of `ci/images/node/` in it; in a container of that, containerd takes in an image of each
//! component and leaves its state, unpacked, for the last layer.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::debian::Debian;
use super::{ImagesError, Kind, copy, docker, error, put, read, static_program};
use crate::kubernetes::Kubernetes;
use crate::tools::{self, Progress, Tools, cache};

const RECIPE: &str = "ci/images/node";
const IMAGE: &str = "node";
/// What the node itself runs.
const PROGRAMS: [&str; 6] = [
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "kubeadm",
    "kubectl",
    "kubelet",
];
/// What runs in pods of its own.
const COMPONENTS: [&str; 6] = [
    "coredns",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
];
/// The images' list names it too: built here from one file.
const PAUSE: &str = "pause";

pub(super) struct Recipe {
    tools: Tools,
    folder: PathBuf,
    debian: Debian,
    version: String,
    reference: String,
}

impl Recipe {
    pub(super) async fn read(
        root: &Path,
        kubernetes: Kubernetes,
        progress: &dyn Progress,
    ) -> Result<Self, ImagesError> {
        let folder = root.join(RECIPE);
        let mut texts = Vec::new();
        read(&folder, &mut texts)?;
        let needed = [
            tools::ETCD,
            tools::CONTAINERD,
            tools::COREDNS,
            tools::kubernetes(kubernetes),
            tools::kubernetes_node(kubernetes),
        ];
        let tools = tools::ensure(root, &needed, progress).await?;
        for program in PROGRAMS.iter().chain(&COMPONENTS) {
            // A program's path holds the key of its build.
            texts.push(tools.path(program)?.display().to_string());
        }
        let version = format!("v{}", kubernetes.version());
        let key = cache::digest(&texts);
        Ok(Self {
            debian: Debian::read(&folder, IMAGE)?,
            reference: format!("authlab/node:{version}-{key}"),
            tools,
            folder,
            version,
        })
    }

    /// The images that kubeadm asks for.
    async fn wanted(&self) -> Result<Vec<String>, ImagesError> {
        let failed = |lines: String| ImagesError::Step {
            image: IMAGE,
            step: "kubeadm config images list",
            lines,
        };
        let output = Command::new(self.tools.path("kubeadm")?)
            .args(["config", "images", "list"])
            .args(["--kubernetes-version", &self.version])
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Writes what Docker is to put over the Debian.
    fn context(&self, context: &Path, pause: &str) -> Result<(), ImagesError> {
        for program in PROGRAMS {
            put(self.tools.path(program)?, &context.join("programs"))?;
        }
        copy(&self.folder.join("files"), &context.join("files"))?;
        let write = |name: &str, text: &str| {
            let path = context.join(name);
            let folder = path.parent().unwrap_or(context);
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(error::unwritable(&path))
        };
        write("files/kind/version", &self.version)?;
        let config = "files/etc/containerd/config.toml";
        let path = self.folder.join(config);
        let text = std::fs::read_to_string(&path).map_err(error::unreadable(&path))?;
        write(config, &text.replace("@PAUSE@", pause))?;
        let path = self.folder.join("Dockerfile");
        let text = std::fs::read_to_string(&path).map_err(error::unreadable(&path))?;
        write("Dockerfile", &text)
    }

    async fn pause(&self, to: &Path, progress: &dyn Progress) -> Result<(), ImagesError> {
        let build = static_program(&self.folder.join(PAUSE), &to.join(PAUSE));
        docker::run_step(IMAGE, "building pause", build, progress).await
    }
}

impl super::Recipe for Recipe {
    fn kind(&self) -> Kind {
        Kind::Node
    }

    fn reference(&self) -> &str {
        &self.reference
    }

    async fn build(&self, scratch: &Path, progress: &dyn Progress) -> Result<(), ImagesError> {
        let debian = self.debian.make(scratch, progress).await?;
        let wanted = self.wanted().await?;
        let pause = wanted.iter().find(|image| image.contains("/pause:"));

        let context = scratch.join("context");
        self.context(&context, pause.map_or("", String::as_str))?;
        let base = format!("{}-base", self.reference);
        let args = ["build", "--build-arg", &debian, "--tag", &base, "."];
        docker::step(IMAGE, "docker build", &args, &context, progress).await?;

        let images = scratch.join("images");
        for component in COMPONENTS {
            put(self.tools.path(component)?, &images)?;
        }
        self.pause(&images, progress).await?;
        put(&self.folder.join("preload"), &images)?;
        let list = images.join("list");
        let text: String = wanted.iter().map(|image| format!("{image}\n")).collect();
        std::fs::write(&list, text).map_err(error::unwritable(&list))?;
        let out = scratch.join("out");
        std::fs::create_dir_all(&out).map_err(error::unwritable(&out))?;
        let given = format!("{}:/images:ro", images.display());
        let taken = format!("{}:/out", out.display());
        let args = [
            "run",
            "--rm",
            "--privileged",
            "--volume",
            "/var/lib/containerd",
            "--volume",
            &given,
            "--volume",
            &taken,
            "--entrypoint",
            "/images/preload",
            &base,
        ];
        docker::step(
            IMAGE,
            "taking in the components' images",
            &args,
            scratch,
            progress,
        )
        .await?;

        let dockerfile = out.join("Dockerfile");
        let text = format!("FROM {base}\nADD containerd.tar /var/lib/\n");
        std::fs::write(&dockerfile, text).map_err(error::unwritable(&dockerfile))?;
        let args = ["build", "--tag", &self.reference, "."];
        docker::step(IMAGE, "docker build", &args, &out, progress).await?;
        // Only the name: its layers are the image's own.
        let args = ["image", "rm", "--no-prune", &base];
        docker::step(IMAGE, "docker image rm", &args, scratch, progress).await
    }
}
