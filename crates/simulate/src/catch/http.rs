//! The receiving side of HTTP/1.1 as a state machine: bytes from a client in, whole requests
//! out. Never touches a socket, so any chunking of the same bytes gives the same requests.

/// The largest request line and headers taken, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most headers of one request.
pub const HEADERS_MAX: usize = 128;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpRequest {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers in order, names as written.
    pub headers: Vec<(String, String)>,
    /// Body, chunks joined.
    pub body: Vec<u8>,
    /// Whether the client wants the connection closed afterwards.
    pub close: bool,
}

impl HttpRequest {
    /// The first header of that name, any case; empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.as_str())
    }
}

/// What the caller has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpStep {
    /// The client waits for `100 Continue` before it sends the body.
    Continue,
    /// A request has arrived whole.
    Request(HttpRequest),
    /// Answer with this status and reason, then close: the rest cannot be understood.
    Refuse(u16, String),
}

#[derive(Debug)]
enum State {
    Head,
    Body { left: usize },
    ChunkSize,
    Chunk { left: usize },
    ChunkEnd,
    Trailer,
    Broken,
}

/// One connection.
#[derive(Debug)]
pub struct HttpDecoder {
    body_bytes_max: usize,
    state: State,
    buffer: Vec<u8>,
    request: HttpRequest,
}

impl HttpDecoder {
    /// A new connection that takes bodies up to `body_bytes_max`.
    pub fn new(body_bytes_max: usize) -> Self {
        Self {
            body_bytes_max,
            state: State::Head,
            buffer: Vec::new(),
            request: HttpRequest::default(),
        }
    }

    /// Takes bytes from the client.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<HttpStep> {
        let mut steps = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = match self.state {
                State::Broken => return steps,
                State::Body { left } => self.body(rest, left, &mut steps),
                State::Chunk { left } => self.chunk(rest, left),
                State::Head | State::ChunkSize | State::ChunkEnd | State::Trailer => {
                    self.line(rest, &mut steps)
                }
            };
        }
        steps
    }

    /// Whether the connection may end here without cutting a request in two.
    pub fn is_between_requests(&self) -> bool {
        matches!(self.state, State::Head | State::Broken) && self.buffer.is_empty()
    }

    fn refuse(&mut self, status: u16, reason: &str, steps: &mut Vec<HttpStep>) {
        self.state = State::Broken;
        steps.push(HttpStep::Refuse(status, reason.to_owned()));
    }

    /// Collects one line (in [`State::Head`] all lines up to the empty one).
    fn line<'b>(&mut self, bytes: &'b [u8], steps: &mut Vec<HttpStep>) -> &'b [u8] {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
        if self.buffer.len() + part.len() > HEAD_BYTES_MAX {
            self.refuse(431, "request head too big", steps);
            return rest;
        }
        self.buffer.extend_from_slice(part);
        if end.is_none() {
            return rest;
        }
        match self.state {
            State::Head => self.head_line(steps),
            State::ChunkSize => self.chunk_size(steps),
            State::ChunkEnd => {
                let fine = matches!(self.buffer.as_slice(), b"\n" | b"\r\n");
                self.buffer.clear();
                self.state = State::ChunkSize;
                if !fine {
                    self.refuse(400, "chunk is longer than it says", steps);
                }
            }
            State::Trailer => {
                let last = matches!(self.buffer.as_slice(), b"\n" | b"\r\n");
                self.buffer.clear();
                if last {
                    self.finish(steps);
                }
            }
            State::Body { .. } | State::Chunk { .. } | State::Broken => {}
        }
        rest
    }

    fn head_line(&mut self, steps: &mut Vec<HttpStep>) {
        if matches!(self.buffer.as_slice(), b"\n" | b"\r\n") {
            self.buffer.clear();
            return;
        }
        if !(self.buffer.ends_with(b"\n\r\n") || self.buffer.ends_with(b"\n\n")) {
            return;
        }
        let head = std::mem::take(&mut self.buffer);
        match parse_head(&head) {
            Ok(request) => self.request = request,
            Err(reason) => return self.refuse(400, &reason, steps),
        }
        self.expect_body(steps);
    }

    fn expect_body(&mut self, steps: &mut Vec<HttpStep>) {
        let coding = self.request.header("transfer-encoding").to_ascii_lowercase();
        let length = self.request.header("content-length").trim().to_owned();
        let wants_continue = self.request.header("expect").eq_ignore_ascii_case("100-continue");
        match (coding.as_str(), length.as_str()) {
            ("chunked", "") => self.state = State::ChunkSize,
            ("", "" | "0") => return self.finish(steps),
            ("", digits) => match digits.parse::<usize>() {
                Ok(left) if left > self.body_bytes_max => {
                    return self.refuse(413, "body too big", steps);
                }
                Ok(left) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    self.state = State::Body { left };
                }
                _ => return self.refuse(400, "content-length is not a number", steps),
            },
            _ => return self.refuse(400, "body framing not understood", steps),
        }
        if wants_continue {
            steps.push(HttpStep::Continue);
        }
    }

    fn body<'b>(&mut self, bytes: &'b [u8], left: usize, steps: &mut Vec<HttpStep>) -> &'b [u8] {
        let (part, rest) = bytes.split_at(bytes.len().min(left));
        self.request.body.extend_from_slice(part);
        self.state = State::Body { left: left - part.len() };
        if part.len() == left {
            self.finish(steps);
        }
        rest
    }

    fn chunk_size(&mut self, steps: &mut Vec<HttpStep>) {
        let line = std::mem::take(&mut self.buffer);
        let text = String::from_utf8_lossy(&line);
        let digits = text.split(';').next().unwrap_or("").trim();
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match usize::from_str_radix(digits, 16) {
            Ok(0) if plain => self.state = State::Trailer,
            Ok(left) if plain && left <= self.body_bytes_max - self.request.body.len() => {
                self.state = State::Chunk { left };
            }
            Ok(_) if plain => self.refuse(413, "body too big", steps),
            _ => self.refuse(400, "chunk size is not a number", steps),
        }
    }

    fn chunk<'b>(&mut self, bytes: &'b [u8], left: usize) -> &'b [u8] {
        let (part, rest) = bytes.split_at(bytes.len().min(left));
        self.request.body.extend_from_slice(part);
        self.state = match left - part.len() {
            0 => State::ChunkEnd,
            left => State::Chunk { left },
        };
        rest
    }

    fn finish(&mut self, steps: &mut Vec<HttpStep>) {
        self.state = State::Head;
        steps.push(HttpStep::Request(std::mem::take(&mut self.request)));
    }
}

fn parse_head(head: &[u8]) -> Result<HttpRequest, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err("request head is cut short".to_owned()),
        Err(error) => return Err(error.to_string()),
    }
    let mut request = HttpRequest {
        method: parsed.method.unwrap_or("").to_owned(),
        path: parsed.path.unwrap_or("").to_owned(),
        ..HttpRequest::default()
    };
    for header in parsed.headers.iter() {
        let value = String::from_utf8_lossy(header.value).into_owned();
        request.headers.push((header.name.to_owned(), value));
    }
    let connection = request.header("connection").to_ascii_lowercase();
    request.close =
        connection == "close" || (parsed.version == Some(0) && connection != "keep-alive");
    Ok(request)
}
