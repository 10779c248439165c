//! Vectors and their fields, by name.

use serde_json::Value;

/// One vector, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    pub(crate) name: String,
    value: Value,
}

/// Runs `check` over every vector of a file. An empty file proves nothing, so it fails.
pub(crate) fn each(stem: &str, mut check: impl FnMut(&Vector)) {
    let vectors = crate::vectors(&format!("{stem}.json"));
    assert!(!vectors.is_empty(), "{stem} is empty");
    for value in vectors {
        check(&Vector { name: crate::name(&value).to_owned(), value });
    }
}

impl Vector {
    pub(crate) fn input(&self, key: &str) -> Field<'_> {
        Field { vector: &self.name, value: &self.value["inputs"][key] }
    }

    pub(crate) fn output(&self, key: &str) -> Field<'_> {
        Field { vector: &self.name, value: &self.value["outputs"][key] }
    }

    /// All versions that the vector holds for.
    pub(crate) fn versions(&self) -> Vec<u16> {
        let number = |value: &Value| u16::try_from(value.as_u64().expect("a version")).unwrap();
        match (&self.value["version"], &self.value["versions"]) {
            (Value::Null, versions) => {
                versions.as_array().expect("version or versions").iter().map(number).collect()
            }
            (version, _) => vec![number(version)],
        }
    }

    /// The parts of the name.
    pub(crate) fn words(&self) -> Vec<&str> {
        self.name.split('/').collect()
    }
}

/// A field of a vector; absent and `null` are the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'v> {
    pub(crate) vector: &'v str,
    value: &'v Value,
}

impl<'v> Field<'v> {
    pub(crate) fn is_some(&self) -> bool {
        !self.value.is_null()
    }

    pub(crate) fn some(self) -> Option<Self> {
        self.is_some().then_some(self)
    }

    pub(crate) fn get(&self, key: &str) -> Field<'v> {
        Field { vector: self.vector, value: &self.value[key] }
    }

    pub(crate) fn list(&self) -> Vec<Field<'v>> {
        let items = self.value.as_array().unwrap_or_else(|| panic!("{}: a list", self.vector));
        items.iter().map(|value| Field { vector: self.vector, value }).collect()
    }

    pub(crate) fn text(&self) -> &'v str {
        self.value.as_str().unwrap_or_else(|| panic!("{}: a text, not {}", self.vector, self.value))
    }

    pub(crate) fn hex(&self) -> Vec<u8> {
        hex::decode(self.text()).unwrap_or_else(|error| panic!("{}: {error}", self.vector))
    }

    pub(crate) fn bool(&self) -> bool {
        self.value.as_bool().unwrap_or_else(|| panic!("{}: a bool, not {}", self.vector, self.value))
    }

    pub(crate) fn number(&self) -> i64 {
        self.value.as_i64().unwrap_or_else(|| panic!("{}: a number, not {}", self.vector, self.value))
    }

    pub(crate) fn u16(&self) -> u16 {
        u16::try_from(self.number()).unwrap()
    }
}
