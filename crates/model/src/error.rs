//! Errors as people read them.

use std::error::Error;

/// An error with its causes: libraries of networks alone say too little (`error sending request`).
/// A cause that has been said is left out.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Told(&'static str, Option<Box<Told>>);

    impl fmt::Display for Told {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Told {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|inner| inner as &(dyn Error + 'static))
        }
    }

    #[test]
    fn causes_are_said_once() {
        let refused = Told("connection refused", None);
        let connect = Told("tcp: connection refused", Some(Box::new(refused)));
        let error = Told("error sending request", Some(Box::new(connect)));
        assert_eq!(with_causes(&error), "error sending request: tcp: connection refused");
        assert_eq!(with_causes(&Told("closed", None)), "closed");
    }
}
