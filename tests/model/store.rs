//! The store's side: what a statement does in the database, and what an append does after its answer.
//!
//! A statement is executed and answered at one moment. Whatever else happens between the two in truth
//! changes nothing that the answer says: buckets only grow, and what is sealed stays so.

use crate::rules::{Rule, Rules};
use crate::state::{Action, Messages, State, Statement};

/// What an append does after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It says that everything is stored.
    Applied,
    /// It says that the log ends elsewhere than expected.
    Stale,
    /// It goes on.
    Send(Statement),
}

/// The buckets where an append or a reader may begin: what it remembers, or the index says, lies
/// anywhere along the chain. With each, whether that is luck: only the first is always known.
pub(crate) fn starts(state: &State) -> impl Iterator<Item = (u8, bool)> {
    state.chain().map(|name| (name, name != 0))
}

/// The statements with which an append may begin, each with whether that takes luck. Whether it is
/// time for a new bucket is left open.
pub(crate) fn beginnings(
    rules: &Rules,
    state: &State,
    expected: u8,
    messages: Messages,
) -> Vec<(Statement, bool)> {
    let entries = portion(rules, messages);
    if expected == 0 {
        return vec![(Statement { action: Action::Open(entries), bucket: 0, expected }, false)];
    }
    let mut beginnings = Vec::new();
    for (place, (bucket, is_luck)) in starts(state).enumerate() {
        let append = Action::Append(entries);
        beginnings.push((Statement { action: append, bucket, expected }, is_luck));
        if place < rules.bounds.rolls {
            beginnings.push((Statement { action: Action::Seal, bucket, expected }, is_luck));
        }
    }
    beginnings
}

/// What one statement stores.
fn portion(rules: &Rules, messages: Messages) -> Messages {
    if rules.keep(Rule::OneStatement) { messages } else { messages.iter().take(1).collect() }
}

/// Executes a statement; tells whether it was applied.
pub(crate) fn execute(rules: &Rules, state: &mut State, statement: Statement) -> bool {
    let Statement { action, bucket: name, expected } = statement;
    let bucket = state.bucket_mut(name);
    let is_there = !bucket.is_absent();
    let is_at_end = is_there && bucket.last() == expected;
    match action {
        Action::Append(entries) => {
            let is_ended = bucket.next.is_some() && rules.keep(Rule::SealEndsBucket);
            let holds = is_at_end && !is_ended;
            entries.iter().filter(|_| holds).for_each(|entry| bucket.push(entry));
            holds
        }
        Action::Open(entries) => {
            let holds = !is_there || !rules.keep(Rule::OpenOnlyAbsent);
            if holds {
                bucket.begin(expected);
                entries.iter().for_each(|entry| bucket.push(entry));
            }
            holds
        }
        Action::Seal => {
            let is_right = is_at_end || (is_there && !rules.keep(Rule::SealComparesLength));
            let holds = is_right && bucket.next.is_none();
            if holds {
                let above = u8::from(rules.keep(Rule::NameAbovePredecessor));
                bucket.next = Some(name + above);
            }
            holds
        }
    }
}

/// Whether a lost statement will never be applied. A lost seal need not be remembered, since third
/// writers may seal at any time.
pub(crate) fn is_dead(rules: &Rules, state: &State, statement: Statement) -> bool {
    let bucket = state.bucket(statement.bucket);
    match statement.action {
        Action::Append(_) => {
            // An absent bucket will begin where the log ends, which is not below what was expected.
            let is_ended = bucket.next.is_some() && rules.keep(Rule::SealEndsBucket);
            is_ended || bucket.is_absent() || bucket.last() > statement.expected
        }
        Action::Open(_) => !bucket.is_absent() && rules.keep(Rule::OpenOnlyAbsent),
        Action::Seal => true,
    }
}

/// What an append of `messages` does after the answer to `statement`. If it was not applied, the answer
/// holds the bucket as it is.
pub(crate) fn after(
    rules: &Rules,
    state: &State,
    messages: Messages,
    statement: Statement,
    is_applied: bool,
) -> Next {
    let bucket = state.bucket(statement.bucket);
    match (statement.action, bucket.next) {
        (Action::Append(stored) | Action::Open(stored), _) if is_applied => {
            rest(rules, messages, stored, statement)
        }
        (Action::Seal, Some(name)) if is_applied => open(rules, messages, name, statement),
        (Action::Open(_), _) if rules.keep(Rule::OpenAlreadyIsStale) => Next::Stale,
        (Action::Open(_), _) => Next::Applied,
        (Action::Append(_) | Action::Seal, _) if bucket.is_absent() => {
            if rules.keep(Rule::AbsentStartsOver) {
                append(rules, messages, 0, statement)
            } else {
                open(rules, messages, statement.bucket, statement)
            }
        }
        (Action::Append(_) | Action::Seal, Some(named)) => {
            refused_as_sealed(rules, state, messages, statement, named)
        }
        (Action::Append(_) | Action::Seal, None) => Next::Stale,
    }
}

/// The bucket of `statement` is sealed, and `named` is the next one.
fn refused_as_sealed(
    rules: &Rules,
    state: &State,
    messages: Messages,
    statement: Statement,
    named: u8,
) -> Next {
    let last = state.bucket(statement.bucket).last();
    if last > statement.expected && rules.keep(Rule::LongerIsStale) {
        return Next::Stale;
    }
    if statement.action == Action::Seal && !rules.keep(Rule::LoserTakesNamedBucket) {
        // Another millisecond, another name.
        return open(rules, messages, named + 1, statement);
    }
    if last < statement.expected {
        if rules.keep(Rule::GoOnAlongChain) {
            return append(rules, messages, named, statement);
        }
        return Next::Stale;
    }
    if rules.keep(Rule::AnyoneOpensNext) {
        return open(rules, messages, named, statement);
    }
    Next::Stale
}

fn append(rules: &Rules, messages: Messages, bucket: u8, before: Statement) -> Next {
    let action = Action::Append(portion(rules, messages));
    Next::Send(Statement { action, bucket, ..before })
}

fn open(rules: &Rules, messages: Messages, bucket: u8, before: Statement) -> Next {
    let action = Action::Open(portion(rules, messages));
    Next::Send(Statement { action, bucket, ..before })
}

/// What is left to do once `stored` is: nothing, unless the append was split.
fn rest(rules: &Rules, messages: Messages, stored: Messages, before: Statement) -> Next {
    let is_later = |message: &u8| stored.iter().all(|stored| stored < *message);
    let left: Messages = messages.iter().filter(is_later).collect();
    if left.is_empty() {
        return Next::Applied;
    }
    let expected = before.expected + 1;
    append(rules, left, before.bucket, Statement { expected, ..before })
}

/// Reads where the log ends, beginning at the bucket `start`.
pub(crate) fn head(rules: &Rules, state: &State, start: u8) -> u8 {
    let mut bucket = state.bucket(start);
    if bucket.is_absent() && rules.keep(Rule::HeadStartsOver) {
        bucket = state.bucket(0);
    }
    while let Some(name) = bucket.next.filter(|_| rules.keep(Rule::HeadFollowsChain)) {
        let next = state.bucket(name);
        if next.is_absent() {
            break;
        }
        bucket = next;
    }
    bucket.last()
}
