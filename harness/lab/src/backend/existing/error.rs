//! Why a cluster that exists already cannot be used. Each message names the cluster or the file, and
//! each help what to do.

use miette::Diagnostic;
use thiserror::Error;

/// A cluster that cannot be used.
#[derive(Debug, Error, Diagnostic)]
pub enum ExistingError {
    /// Nobody said which cluster.
    #[error("which cluster is not said")]
    #[diagnostic(help(
        "name a kubeconfig: `--kubeconfig FILE`, or the variable AUTHLAB_KUBECONFIG; that of kubectl \
         is not taken by itself, because a lab writes to the cluster"
    ))]
    NoTarget,
    /// The kubeconfig cannot be read.
    #[error("the kubeconfig {file}: {why}")]
    #[diagnostic(help("{help}"))]
    Kubeconfig {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
        /// What to do.
        help: String,
    },
    /// Nothing answers, or not as a Kubernetes API server.
    #[error("the cluster {server} cannot be reached: {why}")]
    #[diagnostic(help(
        "`kubectl --kubeconfig {file} version` should fail likewise; is the cluster running, and is \
         its address right for this machine?"
    ))]
    Unreachable {
        /// The cluster's URL.
        server: String,
        /// The kubeconfig.
        file: String,
        /// Why.
        why: String,
    },
    /// What answers is not who the kubeconfig expects.
    #[error(
        "the cluster {server} shows a certificate that the kubeconfig does not vouch for: {why}"
    )]
    #[diagnostic(help(
        "`certificate-authority-data` (or `tls-server-name`) in {file} is that of another cluster, \
         or of an older one at the same address: get a new kubeconfig"
    ))]
    Certificate {
        /// The cluster's URL.
        server: String,
        /// The kubeconfig.
        file: String,
        /// The words of TLS.
        why: String,
    },
    /// The cluster does not know the bearer of the kubeconfig's credential.
    #[error("the cluster {server} does not take the credential of the context `{context}`: {why}")]
    #[diagnostic(help(
        "it has expired, or belongs to another cluster: sign in again or get a new kubeconfig, and \
         try `kubectl --kubeconfig {file} --context {context} auth whoami`"
    ))]
    Credential {
        /// The cluster's URL.
        server: String,
        /// The kubeconfig.
        file: String,
        /// The context.
        context: String,
        /// What was answered.
        why: String,
    },
    /// The bearer may not do what a lab does.
    #[error("`{user}` may not do at {server} what a lab does; missing:\n{missing}")]
    #[diagnostic(help(
        "a lab makes namespaces, roles and bindings of its own and removes them; take a context \
         whose user may, for example one bound to `cluster-admin`"
    ))]
    Rights {
        /// The user.
        user: String,
        /// The cluster's URL.
        server: String,
        /// A line for each.
        missing: String,
    },
    /// An answer that is of no use.
    #[error("{what}: {why}")]
    Answer {
        /// What was asked.
        what: String,
        /// What came.
        why: String,
    },
    /// What a lab writes down cannot be.
    #[error("{what}: {cause}")]
    File {
        /// What was tried.
        what: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The lab's own gate cannot be opened.
    #[error(transparent)]
    Pki(#[from] authlab_pki::PkiError),
}

/// The error and what caused it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // Some repeat their cause.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    // What kube and hyper put before the cause.
    let text = text.trim_start_matches("ServiceError: ");
    text.trim_start_matches("client error (Connect): ")
        .to_owned()
}
