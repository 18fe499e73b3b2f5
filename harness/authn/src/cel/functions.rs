//! Functions of the Kubernetes libraries.

use cel::Context;

/// Adds them to a context.
pub(super) fn add(context: &mut Context<'_, '_>) {
    super::kubernetes::add(context);
}
