//! Writing: create and update, and what every write goes through.

use std::sync::Arc;

use authlab_rbac::validation::FieldError;
use axum::response::Response;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::body::{self, Kind};
use super::options::WriteOptions;
use super::read;
use crate::call::Call;
use crate::managed;
use crate::negotiate;
use crate::object::{Object, now, random_suffix};
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
    /// The object already says who manages what of it, having been applied.
    pub(super) applied: bool,
}

pub(super) fn create(
    call: &Call,
    resource: &Resource,
    objects: &Objects,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let (place, object) = Place::read(call, resource, objects, target, "CreateOptions")?;
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
    let (place, object) = Place::read(call, resource, objects, target, "UpdateOptions")?;
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

impl<'a> Place<'a> {
    /// Where a request is aimed at, with the object that it holds; `options` is the kind of its
    /// options, as messages name it.
    fn read(
        call: &'a Call,
        resource: &'a Resource,
        objects: &'a Objects,
        target: &'a ResourceInfo,
        options: &str,
    ) -> Result<(Self, Value), Status> {
        let options = WriteOptions::read(call, options)?;
        let kind = Kind::of(resource, &objects.decode);
        let object = body::object(call, &kind, options.validation)?;
        let place = Self {
            call,
            resource,
            objects,
            target,
            dry_run: options.dry_run,
            applied: false,
        };
        Ok((place, object))
    }

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
        let rules = &*self.objects.rules;
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
        self.note_manager(None, &mut object);
        rules.complete(transaction, &mut object)?;
        rules.admit(self.call, &object, None)?;
        self.validate(&object, None)?;
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        if let Some(there) = transaction.get(self.resource, &namespace, &name) {
            return Err(Status::already_exists(
                self.resource,
                &name,
                there.terminating(),
            ));
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
        let rules = &*self.objects.rules;
        let (group, plural, name) = (
            &self.resource.group,
            &self.resource.plural,
            &self.target.name,
        );
        self.enter_namespace(&mut object)?;
        let (revision, uid) = (object.revision(), object.uid());
        if revision.is_empty() && rules.needs_revision() {
            let why = "must be specified for an update";
            let field = "metadata.resourceVersion";
            let error = FieldError::invalid_json(field, "0".to_owned(), why);
            return Err(Status::invalid(group, plural, name, &[error]));
        }
        if !revision.is_empty() && revision != current.revision() {
            return Err(Status::stale(self.resource, name));
        }
        if !uid.is_empty() && uid != current.uid() {
            if self.call.info.verb == "patch" {
                let error = FieldError::invalid("metadata.uid", uid, "field is immutable");
                return Err(Status::invalid(group, &self.resource.kind, name, &[error]));
            }
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
        if !subresource.is_empty() {
            // Below an object only its own part and the metadata can be changed.
            let own = if subresource == "finalize" {
                "spec"
            } else {
                subresource
            };
            let mut next = (**current).clone();
            next[own] = object[own].take();
            next["metadata"] = object["metadata"].take();
            object = next;
        }
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
        self.note_manager(Some(current), &mut object);
        rules.admit(self.call, &object, Some(current))?;
        self.validate(&object, Some(current))?;
        if self.dry_run {
            return Ok(Arc::new(object));
        }
        if managed::same(current, &object) {
            return Ok(Arc::clone(current));
        }
        if object.terminating() && rules.finished(&object) {
            transaction.remove(self.resource, object.namespace(), object.name());
            return Ok(Arc::new(object));
        }
        Ok(transaction.put(self.resource, object))
    }

    /// The name under which a write is remembered: the one asked for, or the client's own.
    pub(super) fn manager(&self) -> &str {
        let asked = self.call.query.get("fieldManager").unwrap_or_default();
        let agent = self.call.header(header::USER_AGENT).split('/').next();
        if asked.is_empty() {
            agent.unwrap_or_default()
        } else {
            asked
        }
    }

    pub(super) fn writer(&self) -> managed::Writer<'_> {
        managed::Writer {
            manager: self.manager(),
            resource: self.resource,
            subresource: &self.target.subresource,
        }
    }

    fn note_manager(&self, current: Option<&Value>, object: &mut Value) {
        if !self.applied {
            self.writer().update(current, object);
        }
    }

    fn enter_namespace(&self, object: &mut Value) -> Result<(), Status> {
        let wanted = read::scope(self.resource, self.target);
        if !self.resource.namespaced {
            object.metadata_mut().remove("namespace");
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
        let rules = &*self.objects.rules;
        let mut errors = validation::metadata(object, old, |name| rules.check_name(name));
        errors.extend(rules.validate(object, old));
        if errors.is_empty() {
            let warnings = rules.warnings(object, old).into_iter();
            warnings.for_each(|warning| self.call.warn(warning));
            return Ok(());
        }
        Err(Status::invalid(
            &self.resource.group,
            &self.resource.kind,
            object.name(),
            &errors,
        ))
    }
}
