//! The fuzzer's bytes as a script: what to do next, and with what.

/// What is left of an input. At its end every answer is zero or empty, and the script is over.
pub struct Script<'a> {
    rest: &'a [u8],
}

impl<'a> Script<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Up to 255 bytes, after a byte that says how many.
    pub fn short(&mut self) -> &'a [u8] {
        let len = self.byte();
        self.take(len.into())
    }

    /// Up to 65535 bytes, after two that say how many.
    pub fn large(&mut self) -> &'a [u8] {
        let len = u16::from_be_bytes([self.byte(), self.byte()]);
        self.take(len.into())
    }

    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}

/// Writes scripts, for seeds.
#[derive(Default)]
pub struct Pen(pub Vec<u8>);

impl Pen {
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn short(self, bytes: &[u8]) -> Self {
        let len = u8::try_from(bytes.len()).expect("a short string has at most 255 bytes");
        self.bytes(&[len]).bytes(bytes)
    }
}
