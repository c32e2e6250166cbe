//! The two messages of `Publish`, as Protocol Buffers write them.

use bytes::{BufMut, Bytes, BytesMut};

/// Frames the request: a topic, and one message with its attributes.
pub(super) fn publish(topic: &str, data: &[u8], attributes: &[(&str, &str)]) -> Bytes {
    let mut message = BytesMut::new();
    field(&mut message, 1, data);
    for (key, value) in attributes {
        let mut entry = BytesMut::new();
        field(&mut entry, 1, key.as_bytes());
        field(&mut entry, 2, value.as_bytes());
        field(&mut message, 2, &entry);
    }
    let mut request = BytesMut::new();
    field(&mut request, 1, topic.as_bytes());
    field(&mut request, 2, &message);
    let mut frame = BytesMut::with_capacity(request.len() + 5);
    // Not compressed, and how long.
    frame.put_u8(0);
    frame.put_u32(u32::try_from(request.len()).unwrap_or(u32::MAX));
    frame.put(request);
    frame.freeze()
}

/// A field with a length.
fn field(out: &mut BytesMut, number: u8, bytes: &[u8]) {
    out.put_u8((number << 3) | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.put_u8((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
    out.put_slice(bytes);
}

/// The ids in a framed answer.
pub(super) fn message_ids(frame: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = frame.get(5..).unwrap_or_default();
    while let Some((tag, after)) = number(rest) {
        // Everything in this message has a length.
        let Some((length, after)) = number(after).filter(|_| tag & 7 == 2) else { break };
        let Some((value, after)) =
            usize::try_from(length).ok().and_then(|length| after.split_at_checked(length))
        else {
            break;
        };
        if tag >> 3 == 1 {
            ids.push(String::from_utf8_lossy(value).into_owned());
        }
        rest = after;
    }
    ids
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * place as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_framed() {
        let frame = publish("t", b"{}", &[("a", "b")]);
        let expected = b"\0\0\0\0\x11\n\x01t\x12\x0c\n\x02{}\x12\x06\n\x01a\x12\x01b";
        assert_eq!(&frame[..], &expected[..]);
        let long = publish("t", &[b'x'; 300], &[]);
        assert_eq!(&long[5..14], b"\n\x01t\x12\xaf\x02\n\xac\x02");
    }

    #[test]
    fn ids_are_read() {
        assert_eq!(message_ids(b"\0\0\0\0\x06\n\x01a\n\x01b"), ["a", "b"]);
        for odd in [&b""[..], b"\0\0\0\0\0", b"\0\0\0\0\x03\n\xff", b"\0\0\0\0\x02\x08\x01"] {
            assert_eq!(message_ids(odd), [""; 0]);
        }
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = message_ids(&bytes);
        }
    }
}
