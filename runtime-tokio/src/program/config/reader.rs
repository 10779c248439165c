//! Reads keys of a TOML table one by one, and remembers what it was asked for and what was wrong.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ntf_core::base::budget::BudgetPlan;
use toml::{Table, Value};

use crate::program::failure::Failure;

/// A key as it is documented.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    /// The section it stands in.
    pub(crate) section: &'static str,
    /// Whether there may be many such sections.
    pub(crate) is_list: bool,
    /// Its name.
    pub(crate) name: String,
    /// What it is when not given, as TOML; `None` when it must be given.
    pub(crate) default: Option<String>,
    /// What it may be.
    pub(crate) allowed: String,
    /// What it means.
    pub(crate) what: &'static str,
}

/// A table that is being read. Reading goes on after a fault, with the default.
#[derive(Debug)]
pub(crate) struct Reader {
    file: PathBuf,
    root: Table,
    here: Table,
    /// The section that is being read, as faults name it.
    at: String,
    section: &'static str,
    is_list: bool,
    names: BTreeSet<String>,
    keys: Vec<Key>,
    faults: Vec<String>,
}

impl Reader {
    /// A reader of a file's text.
    ///
    /// # Errors
    ///
    /// When it is no TOML.
    pub(crate) fn of(file: &Path, text: &str) -> Result<Self, Failure> {
        let root = text.parse::<Table>().map_err(|fault| {
            Failure::failed(format!("{} is not TOML: {}", file.display(), fault.to_string().trim_end()))
        })?;
        Ok(Self { file: file.to_owned(), root, ..Self::empty() })
    }

    /// A reader of an empty file.
    pub(crate) fn empty() -> Self {
        Self {
            file: PathBuf::new(),
            root: Table::new(),
            here: Table::new(),
            at: String::new(),
            section: "",
            is_list: false,
            names: BTreeSet::new(),
            keys: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The keys that it was asked for.
    pub(crate) fn into_keys(self) -> Vec<Key> {
        self.keys
    }

    /// Tells everything that was wrong.
    ///
    /// # Errors
    ///
    /// When something was.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        for name in self.root.keys() {
            let known: BTreeSet<&str> = self.keys.iter().map(|key| key.section).collect();
            let known: Vec<&str> = known.into_iter().collect();
            self.faults.push(format!("[{name}]: no such section; there are: {}", known.join(", ")));
        }
        if self.faults.is_empty() {
            return Ok(());
        }
        let count = self.faults.len();
        let noun = if count == 1 { "error" } else { "errors" };
        let lines: Vec<String> = self.faults.iter().map(|fault| format!("\n  {fault}")).collect();
        Err(Failure::failed(format!("{} has {count} {noun}:{}", self.file.display(), lines.concat())))
    }

    /// Reads one section.
    pub(crate) fn section<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Self) -> T) -> T {
        let table = match self.root.remove(name) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.faults.push(format!("{name}: must be a section, [{name}]"));
                Table::new()
            }
        };
        self.is_list = false;
        self.table(name, name.to_owned(), table, read)
    }

    /// Reads all sections of one name.
    pub(crate) fn list<T>(&mut self, name: &'static str, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let value = self.root.remove(name);
        // Once for its keys.
        self.is_list = true;
        let faults = self.faults.len();
        self.table(name, name.to_owned(), Table::new(), &mut read);
        self.faults.truncate(faults);
        let tables = match value {
            None => Vec::new(),
            Some(Value::Array(tables)) => tables,
            Some(_) => {
                self.faults.push(format!("{name}: must be sections, [[{name}]]"));
                Vec::new()
            }
        };
        let mut values = Vec::new();
        for (number, table) in tables.into_iter().enumerate() {
            let at = format!("{name}[{number}]");
            if let Value::Table(table) = table {
                values.push(self.table(name, at, table, &mut read));
            } else {
                self.faults.push(format!("{at}: must be a section, [[{name}]]"));
            }
        }
        values
    }

    fn table<T>(
        &mut self,
        section: &'static str,
        at: String,
        table: Table,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        (self.section, self.at, self.here) = (section, at, table);
        self.names.clear();
        let value = read(self);
        for name in self.here.keys() {
            let known: Vec<&str> = self.names.iter().map(String::as_str).collect();
            self.faults.push(format!("{}.{name}: no such key; there are: {}", self.at, known.join(", ")));
        }
        value
    }

    /// Remembers a key, and takes what the file says about it.
    fn take(
        &mut self,
        name: &str,
        default: Option<String>,
        allowed: &str,
        what: &'static str,
    ) -> Option<Value> {
        self.names.insert(name.to_owned());
        if !self.keys.iter().any(|key| key.section == self.section && key.name == name) {
            self.keys.push(Key {
                section: self.section,
                is_list: self.is_list,
                name: name.to_owned(),
                default,
                allowed: allowed.to_owned(),
                what,
            });
        }
        self.here.remove(name)
    }

    fn refuse(&mut self, name: &str, value: &Value, allowed: &str) {
        self.faults.push(format!("{}.{name} = {value}: it must be {allowed}", self.at));
    }

    /// A fault that is not one of a single key.
    pub(crate) fn fault(&mut self, name: &str, words: &str) {
        self.faults.push(format!("{}.{name}: {words}", self.at));
    }

    /// A whole number.
    pub(crate) fn number(
        &mut self,
        name: &str,
        default: u64,
        range: RangeInclusive<u64>,
        what: &'static str,
    ) -> u64 {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        let Some(value) = self.take(name, Some(default.to_string()), &allowed, what) else { return default };
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            self.refuse(name, &value, &allowed);
            default
        })
    }

    /// A number that counts things in memory.
    pub(crate) fn count(&mut self, name: &str, default: usize, what: &'static str) -> usize {
        let number = self.number(name, u64::try_from(default).unwrap_or(u64::MAX), 1..=1_000_000_000, what);
        usize::try_from(number).unwrap_or(default)
    }

    /// Likewise, below 2^32.
    pub(crate) fn count32(&mut self, name: &str, default: u32, what: &'static str) -> u32 {
        u32::try_from(self.number(name, default.into(), 1..=1_000_000_000, what)).unwrap_or(default)
    }

    /// A time in whole seconds, as the name should say.
    pub(crate) fn seconds(
        &mut self,
        name: &str,
        default: Duration,
        max: u64,
        what: &'static str,
    ) -> Duration {
        Duration::from_secs(self.number(name, default.as_secs(), 1..=max, what))
    }

    /// A time in whole days or for ever, as the name should say.
    pub(crate) fn days(
        &mut self,
        name: &str,
        default: Option<Duration>,
        what: &'static str,
    ) -> Option<Duration> {
        let days = default.map_or(0, |time| time.as_secs() / 86_400);
        match self.number(name, days, 0..=36_500, what) {
            0 => None,
            days => Some(Duration::from_secs(days * 86_400)),
        }
    }

    /// How many at once, and one in how many seconds after that.
    pub(crate) fn budget(
        &mut self,
        [burst, seconds]: [&str; 2],
        default: BudgetPlan,
        what: [&'static str; 2],
    ) -> BudgetPlan {
        let [burst_what, seconds_what] = what;
        BudgetPlan {
            burst: self.count32(burst, default.burst, burst_what),
            period: self.seconds(seconds, default.period, 86_400, seconds_what),
        }
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, name: &str, default: bool, what: &'static str) -> bool {
        let allowed = "true or false";
        let Some(value) = self.take(name, Some(default.to_string()), allowed, what) else { return default };
        value.as_bool().unwrap_or_else(|| {
            self.refuse(name, &value, allowed);
            default
        })
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        name: &str,
        default: &str,
        words: &[(&str, T)],
        what: &'static str,
    ) -> Option<T> {
        let quoted: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let allowed = format!("one of {}", quoted.join(", "));
        self.text(name, Some(default), &allowed, what, |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
        })
    }

    /// Text that `read` makes something of. `None` when it is missing or wrong, which has been noted then.
    pub(crate) fn text<T>(
        &mut self,
        name: &str,
        default: Option<&str>,
        allowed: &str,
        what: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name, default.map(|text| Value::from(text).to_string()), allowed, what);
        let Some(value) = value.or_else(|| default.map(Value::from)) else {
            self.faults.push(format!("{}.{name} is missing: it must be {allowed}", self.at));
            return None;
        };
        let read = value.as_str().and_then(read);
        if read.is_none() {
            self.refuse(name, &value, allowed);
        }
        read
    }

    /// Several texts.
    pub(crate) fn texts(
        &mut self,
        name: &str,
        default: &[&str],
        allowed: &str,
        what: &'static str,
        is_one: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
        let default_value = Value::Array(default.iter().map(|text| Value::from(*text)).collect());
        let Some(value) = self.take(name, Some(default_value.to_string()), allowed, what) else {
            return own(default);
        };
        let texts: Option<Vec<&str>> =
            value.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
        match texts.filter(|texts| texts.iter().all(|text| is_one(text))) {
            Some(texts) => own(&texts),
            None => {
                self.refuse(name, &value, allowed);
                own(default)
            }
        }
    }

    /// A file or folder, by a path that starts where the configuration file is. `None` when it is empty.
    pub(crate) fn path(&mut self, name: &str, default: &str, what: &'static str) -> Option<PathBuf> {
        let text =
            self.text(name, Some(default), "a path, or \"\" for none", what, |text| Some(text.to_owned()))?;
        let folder = self.file.parent().unwrap_or(Path::new(""));
        (!text.is_empty()).then(|| folder.join(text))
    }
}
