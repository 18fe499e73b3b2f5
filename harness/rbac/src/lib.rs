//! Role-based access control as the Kubernetes API server decides it.
