//! Records under random names that are gone some time after they expire.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

/// How long an expired record is still found, so that its holder is told that it expired; then it is as if it never
/// was.
const GRACE: Duration = Duration::from_secs(5 * 60);

/// Records by name. Reading gives a copy.
pub(crate) struct Table<T>(Mutex<HashMap<String, Record<T>>>);

struct Record<T> {
    expiry: SystemTime,
    value: T,
}

impl<T: Clone> Table<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Keeps a record, and forgets those long expired.
    pub(crate) fn insert(&self, name: String, expiry: SystemTime, value: T) {
        let now = SystemTime::now();
        let mut records = self.lock();
        records.retain(|_, record| record.expiry + GRACE > now);
        records.insert(name, Record { expiry, value });
    }

    /// The record, expired or not, and whether it has expired.
    pub(crate) fn get(&self, name: &str) -> Option<(T, bool)> {
        let records = self.lock();
        let record = records.get(name)?;
        Some((record.value.clone(), SystemTime::now() > record.expiry))
    }

    /// A record that fits, its name, and whether it has expired.
    pub(crate) fn find(&self, fits: impl Fn(&T) -> bool) -> Option<(String, T, bool)> {
        let records = self.lock();
        let (name, record) = records.iter().find(|(_, record)| fits(&record.value))?;
        let expired = SystemTime::now() > record.expiry;
        Some((name.clone(), record.value.clone(), expired))
    }

    /// Changes a record in place; false when there is none.
    pub(crate) fn update(&self, name: &str, change: impl FnOnce(&mut T)) -> bool {
        match self.lock().get_mut(name) {
            Some(record) => {
                change(&mut record.value);
                true
            }
            None => false,
        }
    }

    /// Removes the record; of many who try at once, one gets true.
    pub(crate) fn remove(&self, name: &str) -> bool {
        self.lock().remove(name).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Record<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_removed_once() {
        let table = Table::new();
        table.insert("a".to_owned(), SystemTime::now() + GRACE, 1);
        assert!(table.update("a", |value| *value += 1));
        assert_eq!(table.get("a"), Some((2, false)));
        assert!(table.remove("a"));
        assert!(!table.remove("a"));
        assert_eq!(table.get("a"), None);
    }

    #[test]
    fn expired_records_are_told_apart_and_then_forgotten() {
        let table = Table::new();
        let now = SystemTime::now();
        table.insert("just".to_owned(), now - Duration::from_secs(1), 1);
        table.insert("long".to_owned(), now - 2 * GRACE, 2);
        table.insert("new".to_owned(), now + GRACE, 3);
        assert_eq!(table.get("just"), Some((1, true)));
        assert_eq!(table.get("long"), None);
        assert_eq!(table.get("new"), Some((3, false)));
    }
}
