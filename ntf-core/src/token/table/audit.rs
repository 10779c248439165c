//! What must hold between the indexes of the table at any time, for tests and the simulator.

use crate::model::index::TokenIndex;
use crate::token::state::State;
use crate::token::table::Tokens;
use alloc::collections::BTreeSet;

impl Tokens {
    /// Whether rows and indexes agree.
    ///
    /// # Errors
    ///
    /// Says what does not.
    pub fn audit(&self) -> Result<(), &'static str> {
        let rows = usize::try_from(self.rows.len()).unwrap_or(usize::MAX);
        if self.by_id.len() != rows {
            return Err("registrations and their ids do not agree");
        }
        let devices = usize::try_from(self.devices.len()).unwrap_or(usize::MAX);
        if self.by_device.len() != devices {
            return Err("device tokens and their index do not agree");
        }
        let mut tokens = BTreeSet::new();
        let mut registrations = 0;
        for (index, device) in self.devices.iter() {
            if !tokens.insert(device.token()) {
                return Err("a device token has two rows");
            }
            let listed = device.registrations.as_slice();
            registrations += listed.len();
            let of_device = || listed.iter().filter_map(|token| self.get(*token));
            if of_device().any(|token| token.device.0 != index) {
                return Err("a registration is listed with the wrong device token");
            }
            if of_device().filter(|token| matches!(token.state, State::Active(_))).count() > 1 {
                return Err("a device token has two active registrations");
            }
        }
        if registrations != rows {
            return Err("registrations and those listed with device tokens do not agree");
        }
        let is_found = |(index, row)| {
            let row: &crate::token::registration::Token = row;
            self.by_id(&row.id) == Some(TokenIndex(index))
        };
        if !self.rows.iter().all(is_found) {
            return Err("a registration is not found by its id");
        }
        Ok(())
    }
}
