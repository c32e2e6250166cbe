//! [`Node`] tree → [`Op`] list for `machine`.

use super::syntax::{Bytes, Node};

/// The most steps of one pattern.
const OPS_MAX: usize = 2000;

/// A step of a compiled pattern; the next one follows unless it says otherwise.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// These bytes.
    Literal(Box<[u8]>),
    /// Between `min` and `max` bytes of a set. `then` is the set of bytes that may follow, with
    /// `end` saying whether the end of the text may; `literal` whether a literal follows (whose
    /// first byte is then `then`'s only one).
    Run {
        set: Bytes,
        min: u32,
        max: u32,
        lazy: bool,
        any: bool,
        then: Bytes,
        end: bool,
        only: bool,
    },
    /// Up to the next double quote that stands after no backslash, or to the end.
    InQuotes,
    /// Keeps the place: start or end of a capture.
    Save(usize),
    /// Goes on at the first place, and where that fails at the second.
    Split(usize, usize),
    /// Goes on elsewhere.
    Jump(usize),
    /// The end: fits only at the end of the text.
    End,
}

/// Compiles a tree. `Err` says what it cannot.
pub(crate) fn compile(node: &Node) -> Result<Vec<Op>, String> {
    let mut ops = Vec::new();
    emit(node, &mut ops)?;
    ops.push(Op::End);
    for at in 0..ops.len() {
        let (first, ends) = first_of(&ops, at + 1, 0);
        if let Op::Run { set, then, end, only, .. } = &mut ops[at] {
            *then = first;
            *end = ends;
            // Nothing that may follow is in the set: only the whole run can fit.
            *only = !set.meets(&first);
        }
    }
    Ok(ops)
}

fn emit(node: &Node, ops: &mut Vec<Op>) -> Result<(), String> {
    if ops.len() > OPS_MAX {
        return Err(format!("pattern takes more than {OPS_MAX} steps, split it"));
    }
    match node {
        Node::Literal(bytes) => ops.push(Op::Literal(bytes.clone().into())),
        Node::Set(set) => ops.push(run(*set, 1, 1, false)),
        Node::InQuotes => ops.push(Op::InQuotes),
        Node::All(all) => {
            for node in all {
                emit(node, ops)?;
            }
        }
        Node::Any(all) => emit_any(all, ops)?,
        Node::Capture { index, node } => {
            ops.push(Op::Save(index * 2));
            emit(node, ops)?;
            ops.push(Op::Save(index * 2 + 1));
        }
        Node::Repeat { node, min, max, lazy } => emit_repeat(node, *min, *max, *lazy, ops)?,
    }
    Ok(())
}

fn run(set: Bytes, min: u32, max: u32, lazy: bool) -> Op {
    let any = set == Bytes::ALL;
    Op::Run { set, min, max, lazy, any, then: Bytes::NONE, end: false, only: false }
}

fn emit_any(all: &[Node], ops: &mut Vec<Op>) -> Result<(), String> {
    let mut jumps = Vec::new();
    for (place, node) in all.iter().enumerate() {
        let last = place + 1 == all.len();
        let split = ops.len();
        if !last {
            ops.push(Op::Split(split + 1, 0));
        }
        emit(node, ops)?;
        if !last {
            jumps.push(ops.len());
            ops.push(Op::Jump(0));
            ops[split] = Op::Split(split + 1, ops.len());
        }
    }
    for jump in jumps {
        ops[jump] = Op::Jump(ops.len());
    }
    Ok(())
}

fn emit_repeat(
    node: &Node,
    min: u32,
    max: u32,
    lazy: bool,
    ops: &mut Vec<Op>,
) -> Result<(), String> {
    if let Node::Set(set) = node {
        ops.push(run(*set, min, max, lazy));
        return Ok(());
    }
    if let Node::Literal(bytes) = node
        && let [byte] = bytes[..]
    {
        ops.push(run(Bytes::of([byte]), min, max, lazy));
        return Ok(());
    }
    if max > 1 && least_len(node) == 0 {
        return Err("a repeated group that may be empty".to_owned());
    }
    for _ in 0..min {
        emit(node, ops)?;
    }
    let order = |body: usize, after: usize| {
        if lazy { Op::Split(after, body) } else { Op::Split(body, after) }
    };
    if max == u32::MAX {
        let split = ops.len();
        ops.push(Op::Jump(0));
        emit(node, ops)?;
        ops.push(Op::Jump(split));
        ops[split] = order(split + 1, ops.len());
        return Ok(());
    }
    let mut splits = Vec::new();
    for _ in min..max {
        splits.push(ops.len());
        ops.push(Op::Jump(0));
        emit(node, ops)?;
    }
    for split in splits {
        ops[split] = order(split + 1, ops.len());
    }
    Ok(())
}

/// The least number of bytes that fit.
fn least_len(node: &Node) -> usize {
    match node {
        Node::Literal(bytes) => bytes.len(),
        Node::Set(_) => 1,
        Node::InQuotes => 0,
        Node::All(all) => all.iter().map(least_len).sum(),
        Node::Any(all) => all.iter().map(least_len).min().unwrap_or(0),
        Node::Repeat { node, min, .. } => least_len(node) * (*min as usize),
        Node::Capture { node, .. } => least_len(node),
    }
}

/// The bytes that may come next at `at`, and whether the end may.
pub(crate) fn first_of(ops: &[Op], at: usize, depth: usize) -> (Bytes, bool) {
    if depth > 64 {
        return (Bytes::ALL, true);
    }
    match ops.get(at) {
        None => (Bytes::NONE, true),
        Some(Op::End) => (Bytes::NONE, true),
        Some(Op::Literal(bytes)) => match bytes.first() {
            Some(byte) => (Bytes::of([*byte]), false),
            None => first_of(ops, at + 1, depth + 1),
        },
        Some(Op::Run { set, min, .. }) => {
            if *min > 0 {
                return (*set, false);
            }
            let (first, end) = first_of(ops, at + 1, depth + 1);
            (set.or(first), end)
        }
        Some(Op::InQuotes) => (Bytes::ALL, true),
        Some(Op::Save(_)) => first_of(ops, at + 1, depth + 1),
        Some(Op::Jump(to)) => first_of(ops, *to, depth + 1),
        Some(Op::Split(one, two)) => {
            let (first, end) = first_of(ops, *one, depth + 1);
            let (second, second_end) = first_of(ops, *two, depth + 1);
            (first.or(second), end || second_end)
        }
    }
}

/// The longest literal that every fitting text holds, for looking before matching.
pub(crate) fn required(node: &Node) -> Vec<u8> {
    match node {
        Node::Literal(bytes) => bytes.clone(),
        Node::All(all) => all.iter().map(required).max_by_key(Vec::len).unwrap_or_default(),
        Node::Capture { node, .. } => required(node),
        Node::Repeat { node, min, .. } if *min > 0 => required(node),
        Node::Set(_) | Node::InQuotes | Node::Any(_) | Node::Repeat { .. } => Vec::new(),
    }
}
