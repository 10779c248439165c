//! How a device learns of its notices.

/// What is pushed to a device when notices come. Verification pushes are hidden under each of them.
///
/// Source: `ntf-protocol` 3.3 for the first; the others keep promises of the original design of 2022 that
/// the reference has not kept (`ntf-protocol` 7.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PushPolicy {
    /// Alerts with the encrypted notices, which the app replaces by what it finds. What stock apps expect.
    #[default]
    Mutable,
    /// Hidden pushes with the encrypted notices as far as the device's budget goes; beyond it the notices
    /// wait and merge, and a visible alert that carries nothing says at once that something came.
    HiddenThenVisible,
    /// Visible alerts that carry nothing, and no notices at all: for devices that let no app run in the
    /// background. The app fetches when it is opened.
    VisibleOnly,
}

impl PushPolicy {
    /// All of them, in the order of their documentation.
    pub const ALL: [Self; 3] = [Self::Mutable, Self::HiddenThenVisible, Self::VisibleOnly];

    /// The name in options and configuration files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mutable => "mutable",
            Self::HiddenThenVisible => "hidden-then-visible",
            Self::VisibleOnly => "visible-only",
        }
    }

    /// The policy of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }
}
