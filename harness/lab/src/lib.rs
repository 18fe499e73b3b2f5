//! Labs: files, backends, state and lifecycle.
