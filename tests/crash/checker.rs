//! Holds what clients were told against what the log holds in the end.
//!
//! It knows nothing of servers or crashes: histories and logs in, a report out. Each breach is reported
//! once per place, with enough to find it.

use crate::support::history::{Doubt, Event, History, Line};
use chasqui::model::{ClientMessageId, ConversationId, Sequence, UserId};
use chasqui::protocol::constants::entry_kind;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

/// A log at the end, merged from what all its members could fetch.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    /// The first sequence that some member may see.
    pub first: Sequence,
    /// Its entries, ascending.
    pub lines: Vec<Line>,
}

/// All logs.
pub(crate) type Logs = BTreeMap<ConversationId, Log>;

/// Who sent what: unique in a conversation.
type Key = (ConversationId, UserId, ClientMessageId);

/// What became of sends after an attempt without a certain outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// The attempt had stored it.
    pub stored: usize,
    /// It had not; a later one did.
    pub absent: usize,
}

/// The verdict.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Sends that were acknowledged.
    pub acknowledged: usize,
    /// Sends that were never answered.
    pub unknown: usize,
    /// SENDs written beyond the first of each message.
    pub resent: usize,
    /// SENDs that were surely not applied and could be tried again.
    pub put_off: usize,
    /// Sends that the server answered as of unknown outcome.
    pub doubted: Resolved,
    /// Other sends that were unanswered when a connection was lost.
    pub cut_off: Resolved,
    /// Acknowledged, but not in the log where it was said to be.
    pub lost: Vec<String>,
    /// Twice in the log.
    pub duplicated: Vec<String>,
    /// In the log in another order than their client sent them.
    pub reordered: Vec<String>,
    /// Sequences that do not follow each other without holes.
    pub holes: Vec<String>,
    /// In the log, though nobody sent it or its refusal was certain.
    pub invented: Vec<String>,
    /// Shown to a client, but not what the log holds.
    pub diverged: Vec<String>,
    /// Answered as surely not applied by every attempt, and found stored by the next.
    pub untrue: Vec<String>,
}

impl Report {
    /// The breaches of all kinds.
    pub(crate) fn breaches(&self) -> Vec<String> {
        let kinds = [
            ("lost", &self.lost),
            ("duplicated", &self.duplicated),
            ("reordered", &self.reordered),
            ("hole", &self.holes),
            ("invented", &self.invented),
            ("diverged", &self.diverged),
            ("untrue", &self.untrue),
        ];
        let label = |(kind, found): (&str, &Vec<String>)| -> Vec<String> {
            found.iter().map(|what| format!("{kind}: {what}")).collect()
        };
        kinds.into_iter().flat_map(label).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, {} unknown, {} resent, {} put off; answered as unknown {} stored, {} not; cut off {} \
             stored, {} not; {} lost, {} duplicated, {} reordered, {} holes, {} invented, {} diverged, \
             {} untrue",
            self.acknowledged,
            self.unknown,
            self.resent,
            self.put_off,
            self.doubted.stored,
            self.doubted.absent,
            self.cut_off.stored,
            self.cut_off.absent,
            self.lost.len(),
            self.duplicated.len(),
            self.reordered.len(),
            self.holes.len(),
            self.invented.len(),
            self.diverged.len(),
            self.untrue.len(),
        )
    }
}

/// Judges.
pub(crate) fn check(histories: &[History], logs: &Logs) -> Report {
    let mut report = Report::default();
    let index = check_logs(logs, &mut report);
    let mut queued = HashSet::new();
    let mut refused = HashSet::new();
    for history in histories {
        check_client(history, logs, &index, &mut report);
        check_doubts(history, &mut report);
        for event in &history.events {
            match event {
                Event::Queued { conversation, client_message, .. } => {
                    queued.insert((*conversation, history.user, *client_message));
                }
                Event::Refused { conversation, client_message } => {
                    refused.insert((*conversation, history.user, *client_message));
                }
                Event::Sent { .. } | Event::Doubted { .. } | Event::Shown { .. } => {}
            }
        }
    }
    for (key, sequence) in &index {
        if !queued.contains(key) || refused.contains(key) {
            report.invented.push(format!("{key:?} at {sequence}"));
        }
    }
    report
}

/// Checks each log by itself, and tells where each sent message lies.
fn check_logs(logs: &Logs, report: &mut Report) -> HashMap<Key, Sequence> {
    let mut index = HashMap::new();
    for (conversation, log) in logs {
        let mut expected = log.first;
        for line in &log.lines {
            if line.sequence != expected {
                let what = format!("{} where {expected} is due", line.sequence);
                report.holes.push(format!("{conversation}: {what}"));
            }
            expected = line.sequence.next();
            let key = (line.sender, line.client_message);
            if let (entry_kind::MESSAGE, (Some(sender), Some(client_message))) = (line.kind, key) {
                let key = (*conversation, sender, client_message);
                if let Some(before) = index.insert(key, line.sequence) {
                    report.duplicated.push(format!("{key:?} at {before} and {}", line.sequence));
                }
            }
        }
    }
    index
}

fn check_client(
    history: &History,
    logs: &Logs,
    index: &HashMap<Key, Sequence>,
    report: &mut Report,
) {
    let user = history.user;
    let at = |conversation: &ConversationId, sequence: Sequence| {
        let lines = &logs.get(conversation)?.lines;
        let place = lines.binary_search_by_key(&sequence, |line| line.sequence).ok()?;
        lines.get(place)
    };
    let mut bodies = HashMap::new();
    let mut answered = HashSet::new();
    // Where the message queued last in each conversation lies.
    let mut latest: HashMap<ConversationId, Sequence> = HashMap::new();
    for event in &history.events {
        match event {
            Event::Queued { conversation, client_message, body } => {
                bodies.insert((*conversation, *client_message), body);
                if let Some(sequence) = index.get(&(*conversation, user, *client_message)) {
                    let before = latest.insert(*conversation, *sequence);
                    if let Some(before) = before.filter(|before| before > sequence) {
                        let what =
                            format!("{user} in {conversation}: {sequence} sent after {before}");
                        report.reordered.push(what);
                    }
                }
            }
            Event::Sent { conversation, client_message, sequence, .. } => {
                let id = (*conversation, *client_message);
                report.acknowledged += usize::from(answered.insert(id));
                let stored = at(conversation, *sequence);
                let is_there = stored.is_some_and(|line| {
                    line.sender == Some(user)
                        && line.client_message.is_none_or(|stored| stored == *client_message)
                        && bodies.get(&id).is_some_and(|body| **body == line.body)
                });
                if !is_there {
                    let what = format!("{user} in {conversation}: {client_message} at {sequence}");
                    report.lost.push(format!("{what}, found {stored:?}"));
                }
            }
            Event::Refused { conversation, client_message } => {
                answered.insert((*conversation, *client_message));
            }
            Event::Doubted { .. } => {}
            Event::Shown { conversation, line } => {
                let stored = at(conversation, line.sequence);
                if !stored.is_some_and(|stored| stored.is_same(line)) {
                    let what = format!("{user} saw {line:?} in {conversation}, found {stored:?}");
                    report.diverged.push(what);
                }
            }
        }
    }
    report.unknown += bodies.len() - answered.len();
    report.resent += history.attempts.saturating_sub(bodies.len());
    report.put_off += history.put_off;
}

/// Tells how sends whose outcome was not certain were resolved, and finds those whose outcome was called
/// certain and was not.
fn check_doubts(history: &History, report: &mut Report) {
    let mut doubts = HashMap::new();
    for event in &history.events {
        match event {
            Event::Doubted { conversation, client_message, by } => {
                let known = doubts.entry((*conversation, *client_message)).or_insert(*by);
                if *by == Doubt::Answered {
                    *known = *by;
                }
            }
            Event::Sent { conversation, client_message, sequence, duplicate } => {
                let resolved = match doubts.get(&(*conversation, *client_message)) {
                    Some(Doubt::Answered) => &mut report.doubted,
                    Some(Doubt::Unanswered) => &mut report.cut_off,
                    None if *duplicate == Some(true) => {
                        let what = format!("{client_message} in {conversation} at {sequence}");
                        report.untrue.push(what);
                        continue;
                    }
                    None => continue,
                };
                match duplicate {
                    Some(false) => resolved.absent += 1,
                    Some(true) | None => resolved.stored += 1,
                }
            }
            Event::Queued { .. } | Event::Refused { .. } | Event::Shown { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const ANA: u64 = 7;

    fn conversation() -> ConversationId {
        ConversationId::new(1).expect("not zero")
    }

    fn id(number: u64) -> ClientMessageId {
        ClientMessageId::new(number).expect("not zero")
    }

    fn at(number: u64) -> Sequence {
        Sequence::new(number).expect("small")
    }

    /// The entry at `sequence` with Ana's message `number`.
    fn line(sequence: u64, number: u64) -> Line {
        Line {
            sequence: at(sequence),
            sender: UserId::new(ANA),
            client_message: Some(id(number)),
            kind: 1,
            body: Bytes::from(number.to_string()),
        }
    }

    fn queued(number: u64) -> Event {
        let body = Bytes::from(number.to_string());
        Event::Queued { conversation: conversation(), client_message: id(number), body }
    }

    fn sent(number: u64, sequence: u64) -> Event {
        sent_as(number, sequence, Some(false))
    }

    fn sent_as(number: u64, sequence: u64, duplicate: Option<bool>) -> Event {
        let (conversation, client_message) = (conversation(), id(number));
        Event::Sent { conversation, client_message, sequence: at(sequence), duplicate }
    }

    fn doubted(number: u64, by: Doubt) -> Event {
        Event::Doubted { conversation: conversation(), client_message: id(number), by }
    }

    fn judge(events: Vec<Event>, lines: Vec<Line>) -> Report {
        let user = UserId::new(ANA).expect("not zero");
        let history = History { user, attempts: 3, put_off: 0, events };
        let log = Log { first: Sequence::FIRST, lines };
        check(&[history], &Logs::from([(conversation(), log)]))
    }

    fn kinds(report: &Report) -> Vec<String> {
        let kind = |what: String| what.split(':').next().unwrap_or_default().to_owned();
        report.breaches().into_iter().map(kind).collect()
    }

    #[test]
    fn a_log_that_agrees_is_fine() {
        let shown = Event::Shown { conversation: conversation(), line: line(1, 11) };
        let events = vec![queued(11), queued(12), sent(11, 1), sent(12, 2), shown];
        let report = judge(events, vec![line(1, 11), line(2, 12)]);
        assert_eq!(report.breaches(), [""; 0]);
        assert_eq!((report.acknowledged, report.unknown, report.resent), (2, 0, 1));
    }

    #[test]
    fn a_send_without_an_answer_may_be_there_or_not() {
        for lines in [vec![], vec![line(1, 11)]] {
            let report = judge(vec![queued(11)], lines);
            assert_eq!((report.breaches(), report.unknown), (vec![], 1));
        }
    }

    #[test]
    fn an_acknowledged_send_that_is_absent_or_elsewhere_is_lost() {
        assert_eq!(kinds(&judge(vec![queued(11), sent(11, 1)], vec![])), ["lost"]);
        let elsewhere = judge(vec![queued(11), queued(12), sent(12, 1)], vec![line(1, 11)]);
        assert_eq!(kinds(&elsewhere), ["lost"]);
    }

    #[test]
    fn a_message_twice_in_the_log_is_a_duplicate() {
        let report = judge(vec![queued(11), sent(11, 1)], vec![line(1, 11), line(2, 11)]);
        assert_eq!(kinds(&report), ["duplicated"]);
    }

    #[test]
    fn messages_in_another_order_than_sent_are_reordered() {
        let report = judge(vec![queued(11), queued(12)], vec![line(1, 12), line(2, 11)]);
        assert_eq!(kinds(&report), ["reordered"]);
    }

    #[test]
    fn a_skipped_sequence_is_a_hole() {
        assert_eq!(kinds(&judge(vec![queued(11)], vec![line(2, 11)])), ["hole"]);
    }

    #[test]
    fn what_nobody_sent_or_was_surely_refused_is_invented() {
        assert_eq!(kinds(&judge(vec![], vec![line(1, 11)])), ["invented"]);
        let refused = Event::Refused { conversation: conversation(), client_message: id(11) };
        assert_eq!(kinds(&judge(vec![queued(11), refused], vec![line(1, 11)])), ["invented"]);
    }

    #[test]
    fn an_entry_that_was_shown_and_is_not_in_the_log_diverges() {
        let shown = Event::Shown { conversation: conversation(), line: line(1, 11) };
        assert_eq!(kinds(&judge(vec![queued(11), shown.clone()], vec![])), ["diverged"]);
        let mut other = line(1, 11);
        other.body = Bytes::from_static(b"other");
        assert_eq!(kinds(&judge(vec![queued(11), shown], vec![other])), ["diverged"]);
    }

    #[test]
    fn doubts_are_resolved_by_what_is_said_next() {
        let numbers = [11, 12, 13, 14];
        let answers = [Some(true), Some(false), None, Some(false)];
        let mut events: Vec<Event> = numbers.into_iter().map(queued).collect();
        events.extend([11, 12, 13].map(|number| doubted(number, Doubt::Unanswered)));
        events.extend([12, 13].map(|number| doubted(number, Doubt::Answered)));
        events.push(doubted(12, Doubt::Unanswered));
        let sent =
            |at: usize| sent_as(numbers[at], u64::try_from(at + 1).expect("small"), answers[at]);
        events.extend((0..4).map(sent));
        let lines = (1..).zip(numbers).map(|(at, number)| line(at, number)).collect();
        let report = judge(events, lines);
        assert_eq!(report.breaches(), [""; 0]);
        assert_eq!(report.doubted, Resolved { stored: 1, absent: 1 });
        assert_eq!(report.cut_off, Resolved { stored: 1, absent: 0 });
    }

    #[test]
    fn a_duplicate_of_what_was_surely_not_applied_is_untrue() {
        let report = judge(vec![queued(11), sent_as(11, 1, Some(true))], vec![line(1, 11)]);
        assert_eq!(kinds(&report), ["untrue"]);
    }
}
