//! The runner against a running embedded lab: secrets, interruption, what is left behind.

use std::path::Path;
use std::sync::Mutex;

use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::plan::Plan;
use authlab_lab::state::{BackendKind, STATE_FILE, State};
use authlab_scenario::report::{Outcome, Report, ScenarioReport, junit, style::Style, terminal};
use authlab_scenario::{Case, Event, Silent, cases, list, run};
use tokio_util::sync::CancellationToken;

/// A lab with Dex, on which scenarios written to `.authlab` (which is not listed) run.
struct Lab {
    host: Host,
    scenario: tempfile::NamedTempFile,
    checkout: Checkout,
}

impl Lab {
    #[expect(clippy::unwrap_used, reason = "a helper of tests")]
    async fn start(name: &str, steps: &str) -> Self {
        let checkout = Checkout::here();
        let plan = Plan::load(checkout.root(), "dex").unwrap();
        let id = format!("test-{name}-{}", std::process::id());
        let host = Host::start(&checkout, BackendKind::Embedded, plan, &id)
            .await
            .unwrap();
        let scenario = tempfile::Builder::new()
            .suffix(".yaml")
            .tempfile_in(host.folder())
            .unwrap();
        let text = format!("name: {name}\nlab: dex\nsteps:\n{steps}");
        std::fs::write(scenario.path(), text).unwrap();
        Self {
            host,
            scenario,
            checkout,
        }
    }

    #[expect(clippy::unwrap_used, reason = "a helper of tests")]
    fn case(&self) -> Case {
        let root = self.checkout.root();
        let path = self.scenario.path().strip_prefix(root).unwrap();
        cases(root, path).remove(0)
    }

    async fn run(
        &self,
        sink: &(dyn Fn(&Event<'_>) + Send + Sync),
        cancel: &CancellationToken,
    ) -> ScenarioReport {
        run(&self.case(), &self.state(), &sink, cancel).await
    }

    fn state(&self) -> std::path::PathBuf {
        self.host.folder().join(STATE_FILE)
    }
}

fn read(state: &Path) -> State {
    State::read(state).expect("a state file")
}

#[tokio::test]
async fn no_secret_is_in_any_event_or_view() {
    let lab = Lab::start(
        "secrets",
        "  - login: { idp: dex, grant: password, user: jane, scopes: [openid, email, offline_access], as: jane }\n\
         \x20 - login: { idp: dex, grant: refresh_token, from: jane, as: again }\n\
         \x20 - login: { idp: dex, grant: authorization_code, user: jane, as: browser, check: 'seen.claims.email == \"jane@example.com\"' }\n\
         \x20 - login: { idp: dex, grant: password, user: jane, password: not-her-password, expect: refused }\n\
         \x20 - login: { idp: dex, grant: token_exchange, subject: jane, connector: local, client: { id: web, secret: web-secret }, expect: refused }\n\
         \x20 - userinfo: { idp: dex, as: jane }\n\
         \x20 - introspect: { idp: dex, as: again, token: refresh, expect: active }\n\
         \x20 - audit: { event: { verb: create, resource: namespaces } }\n\
         \x20 - clientCertificate: { user: ada, as: ada }\n\
         \x20 - whoami: { as: ada, expect: { username: ada } }\n\
         \x20 - serviceAccountToken: { name: default, as: robot }\n\
         \x20 - request: { as: admin, path: /jane-password/not-her-password, expect: { status: 200 } }\n",
    )
    .await;
    let told = Mutex::new(String::new());
    let sink = |event: &Event<'_>| {
        told.lock().unwrap().push_str(&format!("{event:?}\n"));
    };
    let report = lab.run(&sink, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report:#?}");
    assert_eq!(
        report.steps.last().unwrap().outcome,
        Outcome::Failed,
        "{report:#?}"
    );
    let report = Report {
        scenarios: vec![report],
        ..Report::default()
    };
    let mut all = told.into_inner().unwrap();
    all.push_str(&report.json());
    all.push_str(&junit::render(&report));
    all.push_str(&terminal::render(&report, Style::PLAIN));
    assert!(all.contains("[redacted]"));
    for secret in [
        "jane-password",
        "not-her-password",
        "web-secret",
        "eyJ",
        "PRIVATE KEY",
    ] {
        assert!(
            !all.contains(secret),
            "{secret} is in what a person sees:\n{all}"
        );
    }
    lab.host.stop().await;
}

#[tokio::test]
async fn an_interrupted_scenario_says_so_and_clears_up() {
    let lab = Lab::start(
        "interrupted",
        "  - apply: { manifest: manifests/aggregated.yaml }\n\
         \x20 - request: { as: admin, path: /livez, expect: { status: 200 } }\n\
         \x20 - request: { as: admin, path: /readyz, expect: { status: 200 } }\n",
    )
    .await;
    let cancel = CancellationToken::new();
    let sink = |event: &Event<'_>| {
        if matches!(event, Event::StepDone { .. }) {
            cancel.cancel();
        }
    };
    let report = lab.run(&sink, &cancel).await;
    assert!(report.interrupted);
    let outcomes: Vec<Outcome> = report.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Passed, Outcome::NotRun, Outcome::NotRun]
    );
    assert_eq!(report.fault, None);

    // Nothing is left behind that others could see.
    let check = lab
        .leftovers("/apis/rbac.authorization.k8s.io/v1/clusterroles")
        .await;
    assert!(!check.contains("-monitoring"), "{check}");
    assert!(!check.contains("authlab-barrier"), "{check}");
    lab.host.stop().await;
}

impl Lab {
    /// What the administrator sees at `path`.
    #[expect(clippy::unwrap_used, reason = "a helper of tests")]
    async fn leftovers(&self, path: &str) -> String {
        let state = read(&self.state());
        let config = kube::config::Kubeconfig::read_from(&state.api_server.kubeconfig).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(config, &options)
            .await
            .unwrap();
        let client = kube::Client::try_from(config).unwrap();
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        client.request_text(request).await.unwrap()
    }
}

#[tokio::test]
async fn a_lab_that_is_gone_breaks_the_scenario() {
    let lab = Lab::start(
        "gone",
        "  - request: { as: admin, path: /livez, expect: { status: 200 } }\n",
    )
    .await;
    let (case, state) = (lab.case(), lab.state());
    lab.host.stop().await;
    let report = run(&case, &state, &Silent, &CancellationToken::new()).await;
    assert_eq!(report.outcome, Outcome::Broken);
    assert!(report.fault.unwrap().starts_with("no lab runs at"));
}

/// Whether it starts programs beside the lab, which needs a helper that this test is not.
fn runs_programs(case: &Case) -> bool {
    let lab = case.lab();
    (case.scenario())
        .is_ok_and(|scenario| scenario.requires(lab).any(|need| need.program().is_some()))
}

#[tokio::test]
async fn scenarios_share_a_lab_without_meeting() {
    let lab = Lab::start(
        "shared",
        "  - apply: { manifest: manifests/dev-team.yaml }\n",
    )
    .await;
    let state = lab.state();
    let cases: Vec<Case> = list(lab.checkout.root())
        .into_iter()
        .filter(|case| case.lab() == "dex" && !runs_programs(case))
        .collect();
    assert!(cases.len() > 10);
    let cancel = CancellationToken::new();
    let runs = cases.iter().map(|case| run(case, &state, &Silent, &cancel));
    let scenarios = futures_util::future::join_all(runs).await;
    let report = Report {
        scenarios,
        ..Report::default()
    };
    let counts = report.counts();
    assert_eq!(
        counts.passed,
        cases.len(),
        "{}",
        terminal::render(&report, Style::PLAIN)
    );
    lab.host.stop().await;
}
