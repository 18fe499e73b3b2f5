//! Structured authentication of the Kubernetes API server: configuration, claim mapping, token verdicts.
