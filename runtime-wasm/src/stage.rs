//! The stage, for a page. Everything is [`ntf_core::sim::stage`]'s; here it becomes objects.

use crate::objects::{DeedObject, OptionsObject};
use crate::types::{
    Deed, FactRows, Happenings, KnownList, Options, PartyId, Snapshot, error, from_page, to_page,
};
use ntf_core::base::time::Mono;
use ntf_core::sim::stage;
use wasm_bindgen::prelude::*;

/// The town and its audience.
#[wasm_bindgen]
pub struct Stage(stage::Stage);

#[wasm_bindgen]
impl Stage {
    /// A stage at the first moment of its run.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the options.
    #[wasm_bindgen(constructor)]
    pub fn new(options: &Options) -> Result<Self, JsError> {
        let object: OptionsObject = from_page(options, "the options")?;
        let options =
            object.read().ok_or_else(|| error("the seed is to be a number below 2^64, in decimal"))?;
        stage::Stage::new(options).map(Self).map_err(error)
    }

    /// A stage on which a recorded run is played again, each deed at its moment.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the bytes.
    pub fn replay(trace: &[u8]) -> Result<Self, JsError> {
        stage::Stage::replay(trace).map(Self).map_err(error)
    }

    /// What the run began with.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn options(&self) -> Result<Options, JsError> {
        to_page(&OptionsObject::from(self.0.options()))
    }

    /// Virtual milliseconds since the start.
    #[must_use]
    pub fn now(&self) -> f64 {
        micros_to_millis(self.0.now())
    }

    /// Lets time go on until then, or until there are so many happenings; gives them. Where it ends early, `now()` is
    /// before `until_ms`: ask again.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn run(&mut self, until_ms: f64, most: u32) -> Result<Happenings, JsError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        to_page(&self.0.run(millis_to_mono(until_ms), most))
    }

    /// Does the next thing, whenever it is.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn step(&mut self) -> Result<Happenings, JsError> {
        to_page(&self.0.step())
    }

    /// Does something to the stage, now.
    ///
    /// # Errors
    ///
    /// A sentence that says why it makes no sense.
    pub fn act(&mut self, deed: &Deed) -> Result<(), JsError> {
        let object: DeedObject = from_page(deed, "the deed")?;
        self.0.act(object.into()).map_err(error)
    }

    /// The stage as it is now.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn snapshot(&self) -> Result<Snapshot, JsError> {
        to_page(&self.0.snapshot())
    }

    /// Everything that a party has, decoded; what it cannot read as ciphertext.
    ///
    /// # Errors
    ///
    /// When there is nobody of that name.
    pub fn knows(&self, party: &PartyId) -> Result<KnownList, JsError> {
        to_page(&self.0.knows(from_page(party, "the party")?))
    }

    /// The bytes of one envelope, layer by layer, decoded as far as its receiver can.
    ///
    /// # Errors
    ///
    /// None in practice; an envelope that is not kept any more is an empty list.
    pub fn envelope(&self, id: u32) -> Result<KnownList, JsError> {
        to_page(&self.0.envelope(id))
    }

    /// Who learned what in this run.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn facts(&self) -> Result<FactRows, JsError> {
        to_page(&self.0.facts())
    }

    /// The run so far, for `Stage.replay` and `ntf replay`.
    #[must_use]
    pub fn trace(&self) -> Vec<u8> {
        self.0.trace()
    }

    /// The fingerprint of the run so far, in hexadecimal.
    #[must_use]
    pub fn trace_hash(&self) -> String {
        self.0.trace_hash().to_string()
    }

    /// Steps of the world so far.
    #[must_use]
    pub fn steps(&self) -> f64 {
        number(self.0.steps())
    }
}

fn micros_to_millis(at: Mono) -> f64 {
    number(at.as_micros()) / 1000.0
}

/// What is no number, or before the start, is the start.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both saturate, as wanted")]
fn millis_to_mono(millis: f64) -> Mono {
    Mono::from_micros((millis * 1000.0) as u64)
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

impl core::fmt::Debug for Stage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Stage")
    }
}
