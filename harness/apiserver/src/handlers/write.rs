//! Writing: create, update, delete.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::body::{self, Kind};
use super::options::{self, WriteOptions};
use super::read;
use crate::call::Call;
use crate::negotiate;
use crate::object::{Object, entry, now, random_suffix};
use crate::request::ResourceInfo;
use crate::resources::{Objects, Resource, namespaces, validation};
use crate::status::Status;
use crate::store::Transaction;

/// A kind with its rules, where a request is aimed at, and what may be changed there.
pub(super) struct Place<'a> {
    pub(super) call: &'a Call,
    pub(super) resource: &'a Resource,
    pub(super) objects: &'a Objects,
    pub(super) target: &'a ResourceInfo,
    pub(super) dry_run: bool,
}

pub(super) fn create(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let options = WriteOptions::read(call, "CreateOptions")?;
    let kind = Kind::of(resource, objects.decode);
    let object = body::object(call, &kind, options.validation)?;
    let place = Place {
        call,
        resource,
        objects,
        target,
        dry_run: options.dry_run,
    };
    let made = call
        .cluster
        .write(|transaction| place.add(transaction, object))?;
    Ok(negotiate::object(
        call,
        StatusCode::CREATED,
        resource,
        &made,
    ))
}

pub(super) fn update(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let options = WriteOptions::read(call, "UpdateOptions")?;
    let kind = Kind::of(resource, objects.decode);
    let object = body::object(call, &kind, options.validation)?;
    let place = Place {
        call,
        resource,
        objects,
        target,
        dry_run: options.dry_run,
    };
    place.check_name(&object)?;
    let (code, made) = call
        .cluster
        .write(|transaction| match place.current(transaction) {
            Some(current) => Ok((StatusCode::OK, place.change(transaction, &current, object)?)),
            None if objects.rules.created_by_update() => {
                Ok((StatusCode::CREATED, place.add(transaction, object)?))
            }
            None => Err(Status::not_found(resource, &target.name)),
        })?;
    Ok(negotiate::object(call, code, resource, &made))
}

impl Place<'_> {
    pub(super) fn current(&self, transaction: &Transaction<'_>) -> Option<Arc<Value>> {
        let namespace = read::scope(self.resource, self.target);
        transaction.get(self.resource, namespace, &self.target.name)
    }

    /// An update or patch may not rename.
    pub(super) fn check_name(&self, object: &Value) -> Result<(), Status> {
        let (name, wanted) = (object.name(), &self.target.name);
        if name == wanted || name.is_empty() {
            return Ok(());
        }
        Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({wanted})"
        )))
    }

    /// Stores a new object.
    pub(super) fn add(
        &self,
        transaction: &mut Transaction<'_>,
        mut object: Value,
    ) -> Result<Arc<Value>, Status> {
        let rules = self.objects.rules;
        self.enter_namespace(&mut object)?;
        if !object.revision().is_empty() {
            let why = "resourceVersion should not be set on objects to be created";
            return Err(Status::unexplained(why));
        }
        if object.name().is_empty() && !object.meta("generateName").is_empty() {
            let name = format!("{}{}", object.meta("generateName"), random_suffix());
            object.metadata_mut().insert("name".to_owned(), json!(name));
        }
        if object.name().is_empty() && self.target.named {
            object
                .metadata_mut()
                .insert("name".to_owned(), json!(self.target.name));
        }
        let metadata = object.metadata_mut();
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "managedFields",
            "selfLink",
        ] {
            metadata.remove(field);
        }
        metadata.insert("uid".to_owned(), json!(uuid::Uuid::new_v4().to_string()));
        metadata.insert("creationTimestamp".to_owned(), json!(now()));
        if self.resource.namespaced {
            namespaces::admit(transaction, self.resource, &object)?;
        }
        rules.prepare(&mut object, None, "");
        rules.admit(self.call, &object, None)?;
        self.validate(&object, None)?;
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        if transaction.get(self.resource, &namespace, &name).is_some() {
            return Err(Status::already_exists(self.resource, &name));
        }
        if self.dry_run {
            return Ok(Arc::new(object));
        }
        Ok(transaction.put(self.resource, object))
    }

    /// Stores a new state of an object; with its last finalizer gone, a terminating one goes too.
    pub(super) fn change(
        &self,
        transaction: &mut Transaction<'_>,
        current: &Arc<Value>,
        mut object: Value,
    ) -> Result<Arc<Value>, Status> {
        let rules = self.objects.rules;
        let (group, plural, name) = (self.resource.group, self.resource.plural, &self.target.name);
        self.enter_namespace(&mut object)?;
        let (revision, uid) = (object.revision(), object.uid());
        if !revision.is_empty() && revision != current.revision() {
            return Err(Status::stale(self.resource, name));
        }
        if !uid.is_empty() && uid != current.uid() {
            let (namespace, current) = (current.namespace(), current.uid());
            let place = if namespace.is_empty() {
                String::new()
            } else {
                format!("{namespace}/")
            };
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: /registry/{plural}/{place}{name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {current}"
            );
            return Err(Status::conflict(group, plural, name, &why));
        }
        let subresource = self.target.subresource.as_str();
        let mut object = match subresource {
            "" => object,
            part => {
                // Below an object only its own part can be changed.
                let part = if part == "finalize" { "spec" } else { part };
                let mut next = (**current).clone();
                next[part] = object[part].take();
                next
            }
        };
        let keep = [
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "generateName",
        ];
        for field in keep {
            let value = current["metadata"][field].clone();
            let metadata = object.metadata_mut();
            if value.is_null() {
                metadata.remove(field)
            } else {
                metadata.insert(field.to_owned(), value)
            };
        }
        object.metadata_mut().remove("managedFields");
        if subresource.is_empty()
            && self
                .objects
                .subresources
                .iter()
                .any(|one| one.name == "status")
        {
            match &current["status"] {
                Value::Null => _ = object.as_object_mut().map(|object| object.remove("status")),
                status => object["status"] = status.clone(),
            }
        }
        rules.prepare(&mut object, Some(current), subresource);
        rules.admit(self.call, &object, Some(current))?;
        self.validate(&object, Some(current))?;
        if self.dry_run {
            return Ok(Arc::new(object));
        }
        if object.terminating() && rules.finished(&object) {
            transaction.remove(self.resource, object.namespace(), object.name());
            return Ok(Arc::new(object));
        }
        Ok(transaction.put(self.resource, object))
    }

    fn enter_namespace(&self, object: &mut Value) -> Result<(), Status> {
        let wanted = read::scope(self.resource, self.target);
        if !self.resource.namespaced {
            return Ok(());
        }
        match object.namespace() {
            "" => {
                object
                    .metadata_mut()
                    .insert("namespace".to_owned(), json!(wanted));
                Ok(())
            }
            namespace if namespace == wanted => Ok(()),
            _ => Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            )),
        }
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Result<(), Status> {
        let rules = self.objects.rules;
        let mut errors = validation::metadata(object, self.resource.namespaced, |name| {
            rules.check_name(name)
        });
        errors.extend(rules.validate(object, old));
        if errors.is_empty() {
            return Ok(());
        }
        Err(Status::invalid(
            self.resource.group,
            self.resource.kind,
            object.name(),
            &errors,
        ))
    }
}

pub(super) fn delete(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let options = DeleteOptions::read(call)?;
    let namespace = read::scope(resource, target);
    let (object, gone) = call.cluster.write(|transaction| {
        let current = transaction
            .get(resource, namespace, &target.name)
            .ok_or_else(|| Status::not_found(resource, &target.name))?;
        options.check(resource, &current)?;
        remove(transaction, resource, objects, &current, options.dry_run)
    })?;
    if !gone || objects.rules.returns_deleted() {
        return Ok(negotiate::object(call, StatusCode::OK, resource, &object));
    }
    let mut details = json!({"name": target.name, "kind": resource.plural, "uid": object.uid()});
    if !resource.group.is_empty() {
        details["group"] = json!(resource.group);
    }
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    });
    Ok(negotiate::value(call, StatusCode::OK, &status))
}

pub(super) fn delete_collection(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let options = DeleteOptions::read(call)?;
    let selector = read::selector(call, objects)?;
    let namespace = read::scope(resource, target);
    let (items, revision) = call.cluster.write(|transaction| {
        let mut items = Vec::new();
        for object in transaction.list(resource, namespace) {
            if selector.matches(&object) {
                remove(transaction, resource, objects, &object, options.dry_run)?;
                items.push((*object).clone());
            }
        }
        Ok((items, transaction.revision()))
    })?;
    let metadata = json!({"resourceVersion": revision.to_string()});
    let list = read::list_of(resource, objects, metadata, items);
    Ok(negotiate::object(call, StatusCode::OK, resource, &list))
}

/// Removes an object, or marks it as terminating while something holds it. Returns the object and
/// whether it is gone.
pub(crate) fn remove(
    transaction: &mut Transaction<'_>,
    resource: &Resource,
    objects: &Objects,
    current: &Arc<Value>,
    dry_run: bool,
) -> Result<(Arc<Value>, bool), Status> {
    objects.rules.admit_delete(current)?;
    if objects.rules.finished(current) {
        if !dry_run {
            transaction.remove(resource, current.namespace(), current.name());
        }
        return Ok((Arc::clone(current), true));
    }
    if current.terminating() {
        return Ok((Arc::clone(current), false));
    }
    let mut object = (**current).clone();
    object
        .metadata_mut()
        .insert("deletionTimestamp".to_owned(), json!(now()));
    if !object.finalizers().is_empty() {
        object
            .metadata_mut()
            .insert("deletionGracePeriodSeconds".to_owned(), json!(0));
    }
    objects.rules.begin_deletion(&mut object);
    if dry_run {
        return Ok((Arc::new(object), false));
    }
    Ok((transaction.put(resource, object), false))
}

/// The body and parameters of a delete.
struct DeleteOptions {
    dry_run: bool,
    uid: String,
    revision: String,
}

impl DeleteOptions {
    fn read(call: &Call) -> Result<Self, Status> {
        let mut body = body::options(call)?;
        let mut errors = Vec::new();
        let mut dry_run = options::dry_run(call, &mut errors);
        dry_run |= body["dryRun"].as_array().is_some_and(|all| !all.is_empty());
        options::refuse("DeleteOptions", &errors)?;
        let conditions = entry(&mut body, "preconditions");
        let text = |field: &str| {
            conditions
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Ok(Self {
            dry_run,
            uid: text("uid"),
            revision: text("resourceVersion"),
        })
    }

    fn check(&self, resource: &Resource, object: &Value) -> Result<(), Status> {
        if !self.uid.is_empty() && self.uid != object.uid() {
            let (wanted, current) = (&self.uid, object.uid());
            let why = format!(
                "the UID in the precondition ({wanted}) does not match the UID in record ({current}). The object might have been deleted and then recreated"
            );
            return Err(Status::conflict(
                resource.group,
                resource.kind,
                object.name(),
                &why,
            ));
        }
        if !self.revision.is_empty() && self.revision != object.revision() {
            let (wanted, current) = (&self.revision, object.revision());
            let why = format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({current}). The object might have been modified"
            );
            return Err(Status::conflict(
                resource.group,
                resource.kind,
                object.name(),
                &why,
            ));
        }
        Ok(())
    }
}
