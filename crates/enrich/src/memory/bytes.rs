//! Numbers and texts as bytes, and back within bounds.

/// The bytes are no memory that this program wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("saved memory cannot be read: {0}")]
pub struct Damaged(pub &'static str);

pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn new(version: u8) -> Self {
        Self(vec![version])
    }

    pub(super) fn byte(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(super) fn short(&mut self, number: u16) {
        self.0.extend(number.to_le_bytes());
    }

    pub(super) fn int(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    pub(super) fn long(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    pub(super) fn float(&mut self, number: f32) {
        self.0.extend(number.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        self.short(text.len() as u16);
        self.0.extend(text.bytes());
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

pub(super) struct Reader<'b>(&'b [u8]);

const CUT: Damaged = Damaged("it is cut off");

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8], version: u8) -> Result<Self, Damaged> {
        match bytes.split_first() {
            Some((first, rest)) if *first == version => Ok(Self(rest)),
            Some(_) => Err(Damaged("it is of another version of tocsin")),
            None => Err(CUT),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(CUT)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damaged> {
        self.take::<1>().map(|[byte]| byte)
    }

    pub(super) fn short(&mut self) -> Result<u16, Damaged> {
        self.take().map(u16::from_le_bytes)
    }

    pub(super) fn int(&mut self) -> Result<u32, Damaged> {
        self.take().map(u32::from_le_bytes)
    }

    pub(super) fn long(&mut self) -> Result<u64, Damaged> {
        self.take().map(u64::from_le_bytes)
    }

    pub(super) fn float(&mut self) -> Result<f32, Damaged> {
        let number = self.take().map(f32::from_le_bytes)?;
        number.is_finite().then_some(number).ok_or(Damaged("a number in it is none"))
    }

    pub(super) fn text(&mut self) -> Result<&'b str, Damaged> {
        let length = usize::from(self.short()?);
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT)?;
        self.0 = rest;
        std::str::from_utf8(taken).map_err(|_| Damaged("a text in it is none"))
    }

    pub(super) fn end(self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged("something is behind its end")) }
    }
}
