//! The named patterns of `%{NAME}`: a closed list, in the syntax that `syntax` reads.

/// Names and what they match.
pub(crate) const LIBRARY: &[(&str, &str)] = &[
    // Anything, as little or as much as possible.
    ("DATA", r".*?"),
    ("GREEDYDATA", r".*"),
    // Text without blanks, and with a first character that is none.
    ("NOTSPACE", r"\S+"),
    ("SPACE", r"\s*"),
    ("WORD", r"[A-Za-z0-9_-]+"),
    ("INT", r"[+-]?\d+"),
    ("NUMBER", r"[+-]?\d+(?:\.\d+)?"),
    ("HEX", r"(?:0[xX])?[0-9A-Fa-f]+"),
    ("UUID", r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"),
    // Addresses and names; what is written decides whether it is an address.
    ("ADDR", r"\[?[0-9A-Za-z._:%-]+\]?"),
    ("ADDRPORT", r"\[?[0-9A-Za-z._:%-]+\]?(?:[:.#]\d+)?"),
    ("IP", r"[0-9A-Fa-f:.]*[:.][0-9A-Fa-f:.]+"),
    ("IPPORT", r"\[?[0-9A-Fa-f:.]+\]?:\d+"),
    ("HOST", r"[0-9A-Za-z._-]+"),
    (
        "MAC",
        r"[0-9A-Fa-f]{2}(?:[:.-][0-9A-Fa-f]{2})+|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
    ),
    // A user name is whatever the client sent: empty, with blanks, with " from 192.0.2.1" in it.
    ("USER", r".*"),
    ("PATH", r"/\S*"),
    // Between double quotes, where a backslash keeps a quote from ending it.
    ("INQUOTES", r"\Q"),
    // The same where two quotes stand for one.
    ("INQUOTES2", r#"(?:[^"]|"")*"#),
    // Times.
    ("HTTPDATE", r"\d+/[A-Za-z]+/\d+:\d+:\d+:\d+(?:\.\d+)?(?: [+-]\d+)?"),
    ("ISO8601", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|\s?[+-]\d\d:?\d\d)?"),
    ("LOOSETIME", r"\d{4}-\d\d-\d\d[T ] ?\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"),
    ("DASHTIME", r"\d\d-[A-Z][a-z][a-z]-\d{4} \d\d:\d\d:\d\d(?:\.\d+)?"),
    ("REDISTIME", r"\d\d [A-Z][a-z][a-z] (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?"),
    ("SYSLOGTIME", r"[A-Z][a-z][a-z] +\d+ (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?(?: \d{4})?"),
    (
        "IOSTIME",
        r"(?:\d{4} )?[A-Z][a-z][a-z] +\d+ (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?(?: \d{4})?(?: [A-Z]{2,5})?",
    ),
    ("CTIME", r"[A-Z][a-z][a-z] [A-Z][a-z][a-z] +\d+ \d\d:\d\d:\d\d(?:\.\d+)?(?: [A-Z]+)? \d{4}"),
    ("FASTTIME", r"\d\d/\d\d(?:/\d{2,4})?-\d\d:\d\d:\d\d(?:\.\d+)?"),
    ("ZONETIME", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d+)? [A-Z]{2,5}"),
    ("IISTIME", r"\d+/\d+/\d+, \d+:\d\d:\d\d"),
    ("METHOD", r"[A-Z_]{3,}"),
    ("STATUS", r"[1-5]\d\d"),
    (
        "PGLEVEL",
        r"(?:LOG|FATAL|ERROR|WARNING|STATEMENT|DETAIL|HINT|NOTICE|PANIC|INFO|DEBUG\d?|CONTEXT)",
    ),
    ("YYMMDD", r"\d{6} +\d{1,2}:\d\d:\d\d"),
    ("YYYYMMDD", r"\d{8} +\d{1,2}:\d\d:\d\d"),
    ("SLASHTIME", r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?"),
];

/// The pattern called `name`.
pub(crate) fn pattern(name: &str) -> Option<&'static str> {
    LIBRARY.iter().find(|(known, _)| *known == name).map(|(_, pattern)| *pattern)
}
