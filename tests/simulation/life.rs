//! A life: processes one after the other, until all that was published is shown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ingest::entry::Entry;
use ingest::intake::Durable;
use ingest::intake::by_hand::IntakeByHand;
use ingest::journal::{Journal, Maker};
use ingest::storage::{CrashStorage, Storage};
use ingest::time::{Clock, Epoch, Offset};
use pipelines::checkpoint::CheckpointFolder;
use pipelines::config::Ack;
use pipelines::mirror::by_hand::{LogByHand, MirrorByHand};
use pipelines::mirror::opening::Region;
use pipelines::run::RunError;
use pipelines::run::by_hand::Mirrored;
use pipelines::run::epochs::{CheckpointWriter, Epochs, Opened, Sinks};
use sinks::deliver::Answers;
use sinks::emission::Emission;
use sinks::parquet::StreamSettings;
use sinks::sink::{Receipt, Sink, SinkError};

use super::abroad::{Mirror, WorldClock};
use super::broker::Broker;
use super::faults::{self, Kind};
use super::ledger::Ledger;
use super::outcome;
use super::plant::Plant;
use super::work::{self, Message, START_MS};

/// Faults of the storage in one life; then it runs to its end.
const FAULTS: u64 = 12;
/// Tries before somebody makes room.
const PATIENCE: u32 = 3;

/// What has happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    faults: BTreeMap<Kind, u64>,
    pub(crate) acknowledged: u64,
    pub(crate) redelivered: u64,
    pub(crate) entries: u64,
    /// Starts that were refused because of a flipped bit.
    pub(crate) refused: u64,
}

impl Summary {
    pub(crate) fn of(&self, kind: Kind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or(0)
    }

    /// Points at which a process was stopped, or an operation failed.
    pub(crate) fn crashes(&self) -> u64 {
        [Kind::Kill, Kind::PowerCut, Kind::TornCut, Kind::Failure].map(|kind| self.of(kind)).iter().sum()
    }

    pub(crate) fn add(&mut self, other: &Summary) {
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        self.acknowledged += other.acknowledged;
        self.redelivered += other.redelivered;
        self.entries += other.entries;
        self.refused += other.refused;
    }

    fn count(&mut self, kind: Kind) {
        *self.faults.entry(kind).or_default() += 1;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} crash points, faults {:?}, ", self.crashes(), self.faults)?;
        write!(f, "{} starts refused, {} entries, ", self.refused, self.entries)?;
        write!(f, "{} messages acknowledged, {} delivered again", self.acknowledged, self.redelivered)
    }
}

/// One life.
pub(crate) struct Life<'a> {
    plant: &'a Plant,
    seed: u64,
    rng: fastrand::Rng,
    storage: CrashStorage,
    mirror: Option<Mirror>,
    clock: Arc<WorldClock>,
    broker: Broker,
    published: Vec<Rc<Message>>,
    /// How many of them the broker has got.
    sent: usize,
    /// Time of the world, and what the machine's clock adds to it.
    now_ms: i64,
    clock_off_ms: i64,
    newest_clock_ms: i64,
    /// Every entry that was ever durable, from offset 1.
    pub(crate) entries: Vec<Entry>,
    acknowledged: BTreeSet<u64>,
    /// Entries with whatever was acknowledged.
    acknowledged_entries: usize,
    /// A file of the exports was read wrongly when it was to grow: it is left as it is, and the next one begins.
    may_split_files: bool,
    /// Process starts.
    starts: u64,
    summary: Summary,
}

/// Why a process ended.
enum End {
    /// All is shown.
    Over,
    Failed(RunError),
}

type Service = Epochs<Both>;

/// What a process has open.
struct Process {
    service: Service,
    intake: IntakeByHand,
    abroad: Option<MirrorByHand>,
}

impl<'a> Life<'a> {
    pub(crate) fn new(plant: &'a Plant, seed: u64) -> Life<'a> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let seconds = rng.i64(8..14);
        let published = work::messages(&mut rng, seconds);
        let storage = CrashStorage::new(seed);
        storage.create_folder(std::path::Path::new(super::plant::DATA)).expect("nothing is planned yet");
        let acks = [Ack::Mirrored, Ack::Local];
        let mirror = seed.is_multiple_of(3).then(|| Mirror::new(seed, acks[(seed / 3 % 2) as usize]));
        Life {
            plant,
            seed,
            rng,
            storage,
            mirror,
            clock: Arc::default(),
            broker: Broker::new(plant.config.source.inflight_window),
            published,
            sent: 0,
            now_ms: START_MS,
            clock_off_ms: 0,
            newest_clock_ms: START_MS,
            entries: Vec::new(),
            acknowledged: BTreeSet::new(),
            acknowledged_entries: 0,
            may_split_files: false,
            starts: 0,
            summary: Summary::default(),
        }
    }

    /// Everything on the disks.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Bytes)> {
        let abroad = self.mirror.iter().flat_map(|mirror| mirror.storage.files());
        self.storage.files().into_iter().chain(abroad).collect()
    }

    /// Lives, and compares what is left with what should be.
    pub(crate) fn run(&mut self) -> Result<Summary, String> {
        loop {
            self.starts += 1;
            if self.starts > 200 {
                return Err("it does not come to its end".to_owned());
            }
            let before = self.storage.calls();
            let planned = self.plan();
            let abroad = self.plan_abroad();
            let end = self.process();
            let is_flipped = planned.is_some_and(|(kind, _)| kind == Kind::FlippedBit);
            if let Some((kind, operation)) = planned
                && (self.storage.is_cut() || self.storage.calls() >= before + operation)
            {
                self.summary.count(kind);
            }
            if let Some(mirror) = &self.mirror {
                if abroad.is_some_and(|call| mirror.storage.calls() >= call) {
                    self.summary.count(Kind::Abroad);
                }
                mirror.check(&self.entries, self.acknowledged_entries)?;
            }
            match end? {
                End::Over => break,
                End::Failed(error) if is_flipped => {
                    outcome::is_a_refusal(&error)?;
                    self.summary.refused += 1;
                }
                End::Failed(error) => {
                    let is_planned = planned.is_some() && self.storage.calls() >= before;
                    if !is_planned {
                        return Err(format!("nothing went wrong, and the service ended: {}", chain(&error)));
                    }
                }
            }
            self.broker.disconnect();
            self.storage.set_full(false);
            self.storage.restart();
            if let Some(mirror) = &self.mirror {
                mirror.storage.restart();
            }
            self.now_ms += self.rng.i64(100..1_500);
        }
        self.summary.acknowledged = self.acknowledged.len() as u64;
        self.summary.redelivered = self.broker.redelivered;
        self.summary.entries = self.entries.len() as u64;
        if let Some(mirror) = &self.mirror {
            mirror.storage.restart();
            mirror.check_at_end(self.plant, &self.entries)?;
        }
        let told = outcome::check(self.plant, &self.storage, &self.entries, self.may_split_files)?;
        outcome::each_once(&told, &self.published, &self.acknowledged)?;
        Ok(self.summary.clone())
    }

    /// What will go wrong in the next process. The first fault of each seed is at the operation of its number.
    fn plan(&mut self) -> Option<(Kind, u64)> {
        if self.summary.crashes() + self.summary.refused >= FAULTS {
            return None;
        }
        if self.starts > 1 && self.rng.u8(..6) == 0 {
            self.storage.shorten_reads(self.rng.usize(1..200));
            self.summary.count(Kind::ShortReads);
        }
        if self.starts > 2 && self.rng.u8(..5) == 0 {
            let files = self.storage.files();
            // Those before may have ended before they made any.
            let (path, bytes) = files.get(self.rng.usize(..files.len().max(1)))?;
            // SQLite has no checksums either: what a disk does to its file is beyond Andon.
            if !bytes.is_empty() && *path != self.plant.ledger() {
                self.may_split_files |= path.extension().is_some_and(|end| end == "parquet");
                let data = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0) as u64 + 1;
                self.storage.flip(path, self.rng.u64(..data * 8));
                return Some((Kind::FlippedBit, 0));
            }
        }
        let operation = match self.starts {
            1 => self.seed % 400 + 1,
            // Soon after the start, where it recovers, as often as later.
            _ if self.rng.bool() => self.rng.u64(1..40),
            _ => self.rng.u64(1..160),
        };
        Some((faults::plan(&self.storage, &mut self.rng, operation), operation))
    }

    /// What will go wrong on the mirror's disk, now and then: at which of its operations.
    fn plan_abroad(&mut self) -> Option<u64> {
        let mirror = self.mirror.as_ref().filter(|_| self.summary.of(Kind::Abroad) < FAULTS)?;
        let operation = if self.rng.bool() { self.rng.u64(1..40) } else { self.rng.u64(1..300) };
        (self.rng.u8(..2) == 0).then(|| {
            faults::plan(&mirror.storage, &mut self.rng, operation);
            mirror.storage.calls() + operation
        })
    }

    /// A process, from its start to its end. An error is a mistake of the program's.
    fn process(&mut self) -> Result<End, String> {
        let mut process = match self.open() {
            Ok(opened) => opened?,
            Err(error) => return Ok(End::Failed(error)),
        };
        let mut durable = VecDeque::new();
        match self.work(&mut process, &mut durable) {
            Ok(done) => done.map(|()| End::Over),
            Err(error) => Ok(End::Failed(error)),
        }
    }

    fn open(&mut self) -> Result<Result<Process, String>, RunError> {
        let (plant, storage) = (self.plant, self.storage.clone());
        let shared: Arc<dyn Storage> = Arc::new(storage.clone());
        let mut wait = self.room();
        let config = &plant.config;
        let (now_ms, now_us) = self.clock();
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let mirrored = loop {
            let Some(mirror) = &self.mirror else { break None };
            let region = Region {
                config,
                storage: Arc::clone(&shared),
                clock: Arc::clone(&clock),
                store: mirror.store(),
            };
            match Mirrored::prepare(region, &mirror.settings) {
                Err(error) if error.is_passing() && wait("") => {}
                Ok(None) => return Ok(Err("the only region there is does not lead".to_owned())),
                prepared => break prepared?,
            }
        };
        let (mut journal, recovered) = loop {
            match Journal::open(Arc::clone(&shared), &config.journal) {
                Err(error) if error.is_passing() && wait("") => {}
                opened => break opened?,
            }
        };
        if let Err(wrong) = self.remember(&journal)? {
            return Ok(Err(wrong));
        }
        let checkpoints = CheckpointFolder::open(shared, &config.checkpoint.folder, config.checkpoint.keep)?;
        if let Some(mirrored) = &mirrored {
            checkpoints.forget_after(mirrored.checkpoints_until())?;
        }
        let sinks = Both {
            sinks: RefCell::new(vec![
                Box::new(until_room(&storage, || plant.export(&storage))?) as Box<dyn Sink>,
                Box::new(until_room(&storage, || Ledger::open(&storage, plant.ledger()))?),
            ]),
            storage: storage.clone(),
        };
        journal.make_ahead(Maker::Here);
        #[expect(clippy::arc_with_non_send_sync, reason = "a simulation has one thread")]
        let opened = Opened {
            engine: plant.engine(),
            newest: checkpoints.newest_usable(journal.first_offset())?,
            journal,
            recovered,
            checkpoints,
            writer: CheckpointWriter::Here { looks },
            sinks: Arc::new(sinks),
        };
        let (mut service, mut start) = Epochs::open(config, opened)?;
        if let Some(mirrored) = mirrored {
            service.be_mirrored(mirrored);
        }
        service.recover(&mut wait, || false)?;
        let (mut log, mut abroad) = (service.log(), None);
        if let Some((mirror, generation)) = service.lead_by_hand(&clock, &mut wait)? {
            start.opening.push(generation);
            let mut draw = fastrand::Rng::with_seed(self.rng.u64(..));
            log = Box::new(LogByHand::new(log, mirror.clone(), move || draw.bool()));
            abroad = Some(mirror);
        }
        start.opening.push(service.opening());
        // What was read at recovery was read wrongly or cut short; later reads are right.
        storage.read_well();
        let intake = IntakeByHand::new(&plant.intake(), log, start, now_ms, now_us);
        Ok(Ok(Process { service, intake, abroad }))
    }

    /// Holds the journal against what was durable before, and remembers what is new.
    fn remember(&mut self, journal: &Journal) -> Result<Result<(), String>, RunError> {
        let (first, next) = (journal.first_offset(), journal.next_offset());
        if (next.0 as usize) <= self.entries.len() {
            let kept = next.0 - 1;
            return Ok(Err(format!("of {} durable entries the journal has {kept}", self.entries.len())));
        }
        for entry in journal.read(first)? {
            let (offset, entry) = entry?;
            match self.entries.get(offset.0 as usize - 1) {
                Some(before) if *before != entry => {
                    return Ok(Err(format!("entry {} was {before:?} and is {entry:?}", offset.0)));
                }
                Some(_) => {}
                None => self.entries.push(entry),
            }
        }
        Ok(Ok(()))
    }

    /// From connecting to the last cut. The inner error is a mistake of the program's.
    fn work(
        &mut self,
        Process { service, intake, abroad }: &mut Process,
        durable: &mut VecDeque<Durable>,
    ) -> Result<Result<(), String>, RunError> {
        let mut wait = self.room();
        let mut silent_until_ms = None;
        loop {
            let is_quiet = silent_until_ms.is_some();
            self.now_ms += self.rng.i64(if is_quiet { 100..400 } else { 15..120 });
            while self.published.get(self.sent).is_some_and(|message| message.at_ms <= self.now_ms) {
                self.broker.publish(Rc::clone(&self.published[self.sent]));
                self.sent += 1;
            }
            if !is_quiet {
                self.happen(intake);
            }
            let (now_ms, now_us) = self.clock();
            intake.pass(now_ms, now_us);
            let (count, new_first) = (self.rng.usize(1..12), self.rng.u8(..8) == 0);
            for delivery in self.broker.deliver(count, new_first) {
                let Message { topic, payload, .. } = &*delivery.message;
                intake.receive(topic, payload.as_bytes(), Some(delivery.packet_id));
            }
            if let Err(wrong) = self.commit(intake, durable)? {
                return Ok(Err(wrong));
            }
            // The engine is at times behind.
            while durable.len() > 12 || (!durable.is_empty() && self.rng.u8(..3) > 0) {
                apply(service, durable, &mut wait)?;
            }
            if self.sent == self.published.len() && self.broker.is_empty() {
                // Long enough for all that waits to be released.
                let until_ms = *silent_until_ms.get_or_insert(self.now_ms + 4_000);
                self.clock_off_ms = self.clock_off_ms.max(self.newest_clock_ms - self.now_ms);
                if self.now_ms >= until_ms {
                    break;
                }
            }
        }
        intake.finish();
        if let Err(wrong) = self.commit(intake, durable)? {
            return Ok(Err(wrong));
        }
        while !durable.is_empty() {
            apply(service, durable, &mut wait)?;
        }
        service.settle(&mut wait)?;
        // The last epoch is shown once the mirror has it; its checkpoint goes there after that.
        for _ in 0..2 {
            while let Some(mirror) = abroad.as_ref() {
                mirror.turn();
                if mirror.mirrored().0 as usize > self.entries.len() || !wait("") {
                    break;
                }
            }
            service.settle(&mut wait)?;
        }
        Ok(Ok(()))
    }

    /// A group commit, if one is due, and its acknowledgements.
    fn commit(
        &mut self,
        intake: &mut IntakeByHand,
        durable: &mut VecDeque<Durable>,
    ) -> Result<Result<(), String>, RunError> {
        let Some(committed) = intake.commit(&mut self.room())? else { return Ok(Ok(())) };
        for one in committed.entries {
            if one.offset.0 as usize != self.entries.len() + 1 {
                return Ok(Err(format!("entry {} follows {}", one.offset.0, self.entries.len())));
            }
            self.entries.push(one.entry.clone());
            durable.push_back(one);
        }
        self.acknowledged.extend(self.broker.acknowledged(&committed.packet_ids));
        if !committed.packet_ids.is_empty() {
            self.acknowledged_entries = self.entries.len();
        }
        Ok(Ok(()))
    }

    /// Waits for room here, and for the mirror: after some tries somebody makes it, and has power there again.
    fn room(&self) -> impl FnMut(&str) -> bool + use<> {
        let mut at_home = room(&self.storage);
        let (mirror, mut tries) = (self.mirror.clone(), 0);
        move |what| {
            tries += 1;
            if let Some(mirror) = mirror.as_ref().filter(|_| tries % PATIENCE == 0) {
                mirror.storage.restart();
            }
            at_home(what)
        }
    }

    /// Now and then something happens around the service.
    fn happen(&mut self, intake: &mut IntakeByHand) {
        if !self.broker.is_connected() && self.rng.u8(..3) == 0 {
            self.broker.connect();
        }
        let kind = match self.rng.u16(..1_000) {
            0..15 if self.broker.is_connected() => {
                self.broker.disconnect();
                intake.connection_lost();
                Kind::Disconnect
            }
            15..17 => {
                self.broker.lose_session();
                intake.connection_lost();
                Kind::LostSession
            }
            20..26 => {
                self.storage.set_full(true);
                Kind::FullDisk
            }
            30..33 => {
                self.clock_off_ms += self.rng.i64(1_000..600_000);
                Kind::ClockForwards
            }
            // Until the journal holds a time, nobody can know that the clock went back: what is ahead of it is quarantined.
            40..43 if self.entries.iter().any(|entry| entry.at_ms().is_some()) => {
                self.clock_off_ms -= self.rng.i64(1_000..600_000);
                Kind::ClockBackwards
            }
            _ => return,
        };
        self.summary.count(kind);
    }

    /// Wall clock and monotonic clock of the machine.
    fn clock(&mut self) -> (i64, u64) {
        let clock_ms = self.now_ms + self.clock_off_ms;
        self.newest_clock_ms = self.newest_clock_ms.max(clock_ms);
        self.clock.set(self.now_ms);
        (clock_ms, (self.now_ms - START_MS) as u64 * 1000)
    }
}

fn apply(
    service: &mut Service,
    durable: &mut VecDeque<Durable>,
    wait: &mut dyn FnMut(&str) -> bool,
) -> Result<(), RunError> {
    if let Some(Durable { offset, entry, .. }) = durable.pop_front() {
        service.step(offset, &entry, wait)?;
    }
    Ok(())
}

/// Waits for room: after some tries somebody makes it.
fn room(storage: &CrashStorage) -> impl FnMut(&str) -> bool + use<> {
    let (storage, mut tries) = (storage.clone(), 0);
    move |_| {
        tries += 1;
        if tries >= PATIENCE {
            storage.set_full(false);
        }
        !storage.is_cut()
    }
}

/// As the thread of a sink does: a passing error is tried again.
fn until_room<T>(
    storage: &CrashStorage,
    mut call: impl FnMut() -> Result<T, SinkError>,
) -> Result<T, SinkError> {
    let mut wait = room(storage);
    loop {
        match call() {
            Err(error) if error.is_passing() && wait("") => {}
            done => return done,
        }
    }
}

/// The error and what is behind it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// All sinks, called in this thread one after the other.
pub(crate) struct Both {
    pub(crate) sinks: RefCell<Vec<Box<dyn Sink>>>,
    pub(crate) storage: CrashStorage,
}

impl Both {
    fn all<T>(
        &self,
        mut call: impl FnMut(&mut dyn Sink) -> Result<T, SinkError>,
    ) -> Result<Vec<T>, SinkError> {
        let mut sinks = self.sinks.borrow_mut();
        sinks.iter_mut().map(|sink| until_room(&self.storage, || call(&mut **sink))).collect()
    }
}

/// How often one looks for the answers of an epoch's sinks before they are there: some come at once, some while rows of the
/// next epoch are told, some only when the next cut waits for them.
fn looks(epoch: Epoch) -> usize {
    [0, 2, 9, 1_000][usize::try_from(epoch.0 % 4).unwrap_or(0)]
}

impl Sinks for Both {
    fn write(&self, emission: &Emission) -> Result<(), SinkError> {
        self.all(|sink| now(sink.write(emission))).map(|_| ())
    }

    fn prepare(&self, epoch: Epoch, resume_at: Offset) -> Result<Answers<Receipt>, SinkError> {
        let prepared = self.all(|sink| Ok((sink.name().to_owned(), now(sink.prepare(epoch, resume_at))?)))?;
        Ok(Answers::here_after(looks(epoch), prepared.into_iter().collect()))
    }

    fn commit(&self, epoch: Epoch, receipts: &BTreeMap<String, Receipt>) -> Result<Answers<()>, SinkError> {
        self.all(|sink| match receipts.get(sink.name()) {
            Some(receipt) => now(sink.commit(epoch, receipt)),
            None => Ok(()),
        })?;
        Ok(Answers::here_after(looks(epoch) / 2, BTreeMap::new()))
    }

    fn supersede(&self, epoch: Epoch) -> Result<(), SinkError> {
        self.all(|sink| now(sink.supersede(epoch))).map(|_| ())
    }

    fn extend(&self, _: &[StreamSettings]) -> Result<(), SinkError> {
        Ok(())
    }
}

/// These sinks wait for nothing.
fn now<T>(call: impl Future<Output = T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("neither the export nor the ledger waits for anything"),
    }
}
