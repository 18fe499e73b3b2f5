//! An embedded Kubernetes API server: authentication, authorization and enough of the API for kubectl.
