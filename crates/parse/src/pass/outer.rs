//! What is around a record and what it means for what is inside.

use std::time::Duration;

use tocsin_model::{Event, FieldId, Value, field};

use crate::frame::Head;

/// The most that JSON in a frame may differ from the frame's time.
const TIME_DIFFERENCE_MAX: Duration = Duration::from_secs(86_400);

/// Programs log JSON that others gave them. Where no source vouches for it, the frame has the
/// last word on whose line this is and when it was written.
pub(super) fn keep_head(head: &Head<'_>, event: &mut Event) {
    if let Some(time) = head.time {
        let apart = event.time.since(time).max(time.since(event.time));
        if apart > TIME_DIFFERENCE_MAX {
            event.time = time;
        }
    }
    if let Some(host) = head.host.as_deref() {
        event.set_str(field::HOST_HOSTNAME, host);
        event.set_str(field::HOST_NAME, host);
    }
}

/// JSON without the word by which syslog tells that it is some.
pub(super) fn without_cookie(text: &str) -> &str {
    text.strip_prefix("@cee:").map_or(text, str::trim_start)
}

/// Makes `event` what it was before its JSON was read: identity, times, raw line and the fields
/// of the outer frame.
pub(super) fn begin_again(event: &mut Event, outer: &Event, before: usize) {
    event.clear();
    event.id = outer.id;
    event.time = outer.time;
    event.received = outer.received;
    event.set_original(outer.original());
    let kept: Vec<(FieldId, Value<'_>)> = outer.iter().take(before).collect();
    for (id, value) in kept {
        event.push(id, value);
    }
}
