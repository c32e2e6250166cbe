//! [`Diagnostic`]: something wrong with content, with its place.

use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Works, but is likely not what was meant.
    Warning,
    /// Refused; the rest goes on without it.
    Error,
}

/// A message about one place in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// File as the user knows it.
    pub path: String,
    /// Line, from 1; 0 when it is about the whole file.
    pub line: u32,
    /// Column in characters, from 1; 0 when it is about the whole line.
    pub column: u32,
    /// Severity.
    pub level: Level,
    /// What is wrong and what to do, lower case.
    pub message: String,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(path: &str, line: u32, column: u32, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, column, level: Level::Error, message: message.into() }
    }

    /// A warning at a place.
    pub fn warning(path: &str, line: u32, column: u32, message: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(path, line, column, message) }
    }
}

/// `path:line:column: error: message`, as compilers write it.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, ": {level}: {}", self.message)
    }
}

impl std::error::Error for Diagnostic {}
