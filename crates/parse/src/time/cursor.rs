//! A cursor over the bytes of a time: digits, months, clocks and zones, taken or left.

use super::SECOND;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Offset(i64),
    Unknown,
}

/// A cursor over bytes that takes or leaves.
pub(super) struct Cursor<'b> {
    pub(super) bytes: &'b [u8],
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    pub(super) fn take(&mut self, byte: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    pub(super) fn take_any(&mut self, set: &[u8]) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        set.contains(&byte).then(|| {
            self.at += 1;
            byte
        })
    }

    /// Exactly `count` digits.
    pub(super) fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.bytes.get(self.at..self.at + count)?;
        let mut number = 0;
        for digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
        }
        self.at += count;
        Some(number)
    }

    /// A day: two digits, a blank and a digit, or one digit.
    pub(super) fn day(&mut self) -> Option<u32> {
        let _ = self.take(b' ');
        let day = self.digits(2).or_else(|| self.digits(1))?;
        Some(day as u32)
    }

    pub(super) fn month(&mut self) -> Option<u32> {
        let name = self.bytes.get(self.at..self.at + 3)?;
        let month = month_number(name)?;
        self.at += 3;
        Some(month)
    }

    /// `hh:mm:ss` with an optional fraction after `.` or `,`: seconds of the day, nanoseconds.
    pub(super) fn clock(&mut self) -> Option<(i64, i64)> {
        let hour = self.digits(2).or_else(|| self.digits(1))?;
        self.take(b':')?;
        let minute = self.digits(2)?;
        self.take(b':')?;
        let second = self.digits(2)?;
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        Some((hour * 3600 + minute * 60 + second.min(59), self.fraction()))
    }

    pub(super) fn fraction(&mut self) -> i64 {
        if !matches!(self.peek(), b'.' | b',') {
            return 0;
        }
        if !self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit) {
            return 0;
        }
        self.at += 1;
        let (mut nanos, mut unit) = (0, SECOND / 10);
        while self.peek().is_ascii_digit() {
            nanos += i64::from(self.peek() - b'0') * unit;
            unit /= 10;
            self.at += 1;
        }
        nanos
    }

    /// `Z`, `+hh:mm`, `+hhmm`, `+hh`, or `UTC`/`GMT` after a blank.
    pub(super) fn zone(&mut self) -> Zone {
        let start = self.at;
        if self.peek() == b' ' {
            self.at += 1;
        }
        match self.peek() {
            b'Z' | b'z' if self.at == start => {
                self.at += 1;
                return Zone::Offset(0);
            }
            b'U' | b'G' => {
                let rest = &self.bytes[self.at..];
                let word = rest.starts_with(b"UTC") || rest.starts_with(b"GMT");
                if word && !rest.get(3).is_some_and(u8::is_ascii_alphanumeric) {
                    self.at += 3;
                    return Zone::Offset(0);
                }
            }
            sign @ (b'+' | b'-') => {
                self.at += 1;
                if let Some(offset) = self.offset_digits() {
                    return Zone::Offset(if sign == b'-' { -offset } else { offset });
                }
            }
            _ => {}
        }
        if self.at > start
            && let Some(offset) = self.zone_name()
        {
            return Zone::Offset(offset);
        }
        self.at = start;
        Zone::Unknown
    }

    /// A zone's short name: seconds east of UTC.
    pub(super) fn zone_name(&mut self) -> Option<i64> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        let ends = !matches!(rest.get(len), Some(b'-' | b'_' | b'.'))
            && !rest.get(len).is_some_and(u8::is_ascii_alphanumeric);
        let (_, minutes) = ZONES.iter().find(|(name, _)| name.as_bytes() == &rest[..len])?;
        ends.then(|| {
            self.at += len;
            minutes * 60
        })
    }

    /// ` AM` or ` PM` after a time of twelve hours.
    pub(super) fn half_day(&mut self, seconds: i64) -> i64 {
        let Some([b' ', half @ (b'A' | b'a' | b'P' | b'p'), b'M' | b'm']) =
            self.bytes.get(self.at..self.at + 3)
        else {
            return seconds;
        };
        if self.bytes.get(self.at + 3).is_some_and(u8::is_ascii_alphanumeric) {
            return seconds;
        }
        self.at += 3;
        match half {
            b'P' | b'p' if seconds < 43_200 => seconds + 43_200,
            b'A' | b'a' if seconds >= 43_200 => seconds - 43_200,
            _ => seconds,
        }
    }

    pub(super) fn offset_digits(&mut self) -> Option<i64> {
        let hours = self.digits(2)?;
        let _ = self.take(b':');
        let minutes = self.digits(2).unwrap_or(0);
        (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)
    }
}

/// Short names of zones that mean one thing only, minutes east of UTC.
const ZONES: &[(&str, i64)] = &[
    ("CET", 60),
    ("CEST", 120),
    ("MEZ", 60),
    ("MESZ", 120),
    ("EST", -300),
    ("EDT", -240),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("WET", 0),
    ("WEST", 60),
    ("EET", 120),
    ("EEST", 180),
    ("MSK", 180),
    ("JST", 540),
    ("KST", 540),
    ("AEST", 600),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("SAST", 120),
    ("HKT", 480),
    ("SGT", 480),
];

fn month_number(name: &[u8]) -> Option<u32> {
    Some(match name {
        b"Jan" | b"jan" => 1,
        b"Feb" | b"feb" => 2,
        b"Mar" | b"mar" => 3,
        b"Apr" | b"apr" => 4,
        b"May" | b"may" => 5,
        b"Jun" | b"jun" => 6,
        b"Jul" | b"jul" => 7,
        b"Aug" | b"aug" => 8,
        b"Sep" | b"sep" => 9,
        b"Oct" | b"oct" => 10,
        b"Nov" | b"nov" => 11,
        b"Dec" | b"dec" => 12,
        _ => return None,
    })
}
