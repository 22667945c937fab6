//! The rules of appending, each of which can be broken to see what it is needed for, and the bounds
//! within which the model is searched.

/// One rule, and what is done where it is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// All entries of an append are one statement. Broken: one statement per entry.
    OneStatement,
    /// Entries go only into a bucket that is not sealed. Broken: only its length is compared.
    SealEndsBucket,
    /// A bucket is sealed only at the expected length. Broken: at any.
    SealComparesLength,
    /// Only an absent bucket is opened. Broken: any is, and overwritten.
    OpenOnlyAbsent,
    /// A bucket is named by the clock, but at least one above its predecessor. Broken: by the clock
    /// alone, which may stand still.
    NameAbovePredecessor,
    /// A bucket that is open already means Stale. Broken: it counts as opened by oneself.
    OpenAlreadyIsStale,
    /// Who loses a seal goes on with the bucket that the winner named. Broken: with one's own name.
    LoserTakesNamedBucket,
    /// After a bucket that is sealed at the expected length the next one is opened, whoever sealed
    /// it. Broken: Stale.
    AnyoneOpensNext,
    /// A bucket that is sealed below the expected length sends an append on to the next. Broken: Stale.
    GoOnAlongChain,
    /// A bucket longer than expected means Stale. Broken: if it is sealed, the next one is opened.
    LongerIsStale,
    /// An absent bucket proves nothing, since it is named before it is opened: an append starts over
    /// at the first. Broken: the absent one is opened.
    AbsentStartsOver,
    /// So does reading the head. Broken: an absent bucket is an empty log.
    HeadStartsOver,
    /// Reading the head follows the chain to its end. Broken: the first bucket that is read is the end.
    HeadFollowsChain,
    /// The driver repeats no conditional statement. Broken: it may, and hands on the second answer.
    DriverNeverRepeats,
    /// A lost answer leaves the outcome unknown. Broken: the append surely failed.
    LostIsUnknown,
    /// An append in doubt stays so when its repetition surely fails. Broken: it surely failed.
    DoubtOutlivesFailure,
    /// An absent entry proves nothing until a longer log has been read. Broken: any read will do.
    AbsenceProvesNothing,
    /// What is found of an append in doubt is acknowledged at once. Broken: it is decided anew.
    FoundIsAcknowledged,
    /// A message is looked up before it is appended. Broken: only by who appended it.
    LookUpFirst,
    /// After Stale every message is looked up again. Broken: it is appended again.
    LookUpAfterStale,
    /// The floor of a message is fixed before its first attempt. Broken: each attempt has its own.
    FloorIsFixed,
    /// A message is acknowledged once it is stored. Broken: once it is about to be.
    StoreBeforeAnswer,
}

impl Rule {
    pub(crate) const ALL: [Self; 22] = [
        Self::OneStatement,
        Self::SealEndsBucket,
        Self::SealComparesLength,
        Self::OpenOnlyAbsent,
        Self::NameAbovePredecessor,
        Self::OpenAlreadyIsStale,
        Self::LoserTakesNamedBucket,
        Self::AnyoneOpensNext,
        Self::GoOnAlongChain,
        Self::LongerIsStale,
        Self::AbsentStartsOver,
        Self::HeadStartsOver,
        Self::HeadFollowsChain,
        Self::DriverNeverRepeats,
        Self::LostIsUnknown,
        Self::DoubtOutlivesFailure,
        Self::AbsenceProvesNothing,
        Self::FoundIsAcknowledged,
        Self::LookUpFirst,
        Self::LookUpAfterStale,
        Self::FloorIsFixed,
        Self::StoreBeforeAnswer,
    ];
}

/// How much happens at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// How many messages clients send, up to two.
    pub messages: u8,
    /// How many entries third writers append.
    pub foreign: usize,
    /// How many buckets are sealed.
    pub rolls: usize,
}

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub bounds: Bounds,
    /// The rule that is not followed.
    pub broken: Option<Rule>,
}

impl Rules {
    pub(crate) fn keep(&self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
