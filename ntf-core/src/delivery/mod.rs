//! From notices to pushes: merging, budgets, what to do with a provider's answer. Knows no links.
