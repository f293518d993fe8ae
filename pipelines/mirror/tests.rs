//! Writers, followers and regions over a store in memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ingest::entry::Entry;
use ingest::intake::LogError;
use ingest::journal::{Journal, Place};
use ingest::storage::{DiskStorage, Storage};
use ingest::time::{ManualClock, Offset};

use super::chunk::Chunk;
use super::follower::{Comparison, Follower};
use super::forks;
use super::head::Head;
use super::manifest::{Manifest, Offered};
use super::opening::{Region, Role};
use super::store::memory::MemoryStore;
use super::store::{FolderStore, Store, list_all};
use super::tail::Work;
use super::writer::{Put, Writer};
use super::{Identity, Leader, Mirror, MirrorError, MirrorStatus};
use crate::config::{Ack, Config, MirrorPlace, MirrorSettings, Takeover};

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn tick(second: i64) -> Entry {
    Entry::Tick { first_ms: second * 1000, last_ms: second * 1000 }
}

fn ticks(seconds: std::ops::Range<i64>) -> Vec<Entry> {
    seconds.map(tick).collect()
}

fn writer(store: &Arc<MemoryStore>, generation: u64, name: &str, place: Place) -> Writer {
    Writer::new(Arc::clone(store) as Arc<dyn Store>, "c1", generation, name, place)
}

/// A place in a journal of ticks.
fn at(offset: u64) -> Place {
    Place { offset: Offset(offset), ..Place::FIRST }
}

fn settings(ack: Ack, takeover: Takeover) -> MirrorSettings {
    MirrorSettings {
        place: MirrorPlace::Folder("/nowhere".into()),
        ack,
        takeover,
        lease: std::time::Duration::from_secs(2),
        interval: std::time::Duration::from_millis(10),
        checkpoint_epochs: 1,
        retain: std::time::Duration::from_secs(60),
        behind_bytes_max: 1 << 20,
    }
}

fn offered(epoch: u64, resume_at: u64, state: &str) -> Offered {
    let manifest = Manifest {
        format: Manifest::FORMAT,
        epoch,
        resume_at,
        generation: 1,
        writer: "a.1".to_owned(),
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        state_hash: state.to_owned(),
        configuration: String::new(),
        parts: Vec::new(),
    };
    Offered { manifest, content: vec![7; 20 << 20].into() }
}

#[test]
fn what_is_written_is_followed_in_order() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        let mut writer = writer(&store, 1, "a.1", Place::FIRST);
        let mut follower = Follower::new(store.clone(), Place::FIRST);
        assert_eq!(follower.next().await.expect("reads"), None);
        for seconds in [0..1, 1..40, 40..41] {
            assert_eq!(writer.put(ticks(seconds.clone())).await.expect("puts"), Put::Done);
            let chunk = follower.next().await.expect("reads").expect("it is there");
            assert_eq!(chunk.entries, ticks(seconds));
        }
        assert_eq!(follower.place(), writer.place);
        assert_eq!(follower.look_around().await.expect("reads"), None);
        // A crash has left the first few entries of a chunk: the rest of it comes.
        let mut within = Place::FIRST;
        ticks(0..5).iter().for_each(|entry| within.pass(entry));
        let mut follower = Follower::new(store.clone(), within);
        let rest = follower.rest().await.expect("reads").expect("it is there");
        assert_eq!((rest.place, rest.entries), (within, ticks(5..40)));
    });
}

#[test]
fn ones_own_chunk_whose_answer_was_lost_is_known_again() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        let mut writer = writer(&store, 1, "a.1", Place::FIRST);
        store.loses_answer.store(true, Ordering::SeqCst);
        assert!(writer.put(ticks(0..3)).await.is_err());
        assert!(writer.is_unanswered());
        // More has come meanwhile, and the same chunk is put again all the same.
        assert_eq!(writer.put(ticks(0..9)).await.expect("puts"), Put::Done);
        assert_eq!(writer.place.offset, Offset(4));
        assert_eq!(store.names(), [Chunk::name(Offset(1))]);
    });
}

#[test]
fn of_two_who_write_the_same_place_one_wins() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        let mut one = writer(&store, 1, "a.1", Place::FIRST);
        assert_eq!(one.put(ticks(0..2)).await.expect("puts"), Put::Done);
        let mut other = writer(&store, 2, "b.1", one.place);
        let generation = Entry::Generation { generation: 2, writer: "b.1".to_owned() };
        assert_eq!(other.put(vec![generation]).await.expect("puts"), Put::Done);
        let taken = Put::Taken { generation: 2, writer: "b.1".to_owned() };
        assert_eq!(one.put(ticks(2..3)).await.expect("puts"), taken);
        let seen = Writer::look(&*store, "a.1", Offset(3)).await.expect("reads");
        assert_eq!(seen, Some((2, "b.1".to_owned())));
        assert_eq!(Writer::look(&*store, "b.1", Offset(3)).await.expect("reads"), None);
    });
}

#[test]
fn a_gap_is_refused_and_so_is_what_was_trimmed() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        let mut writer = writer(&store, 1, "a.1", Place::FIRST);
        for second in 0..4 {
            writer.put(ticks(second..second + 1)).await.expect("puts");
        }
        store.remove(&Chunk::name(Offset(2))).await.expect("removes");
        let mut follower = Follower::new(store.clone(), Place::FIRST);
        follower.next().await.expect("reads").expect("the first is there");
        assert_eq!(follower.next().await.expect("reads"), None);
        let error = follower.look_around().await.expect_err("a gap").to_string();
        assert!(error.contains("entry 2 is missing") && error.contains("entry 3"), "{error}");
        Head::new("c1", 3, 1).replace(&*store).await.expect("puts");
        let error = follower.look_around().await.expect_err("trimmed").to_string();
        assert!(error.contains("begins with entry 3") && error.contains("mirror.retain"), "{error}");
    });
}

#[test]
fn a_mirror_keeps_what_its_oldest_checkpoint_needs_and_what_is_young() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        let mut writer = writer(&store, 1, "a.1", Place::FIRST);
        for epoch in 1..=6 {
            store.pass_ms(1_000);
            let second = epoch as i64 * 2;
            writer.put(ticks(second..second + 2)).await.expect("puts");
            let offered = offered(epoch, writer.place.offset.0, "same");
            writer.put_checkpoint(offered, 2).await.expect("puts");
        }
        let manifests = list_all(&*store, "checkpoints/", "").await.expect("lists");
        let manifests = manifests.iter().filter(|found| found.name.ends_with("manifest")).count();
        assert_eq!(manifests, 2);
        assert_eq!(writer.trim(60_000).await.expect("trims"), 0, "all of it is young");
        // The older of the two checkpoints resumes at entry 11.
        assert_eq!(writer.trim(500).await.expect("trims"), 5);
        let chunks = list_all(&*store, "journal/", "").await.expect("lists");
        assert_eq!(chunks.first().map(|found| found.name.clone()), Some(Chunk::name(Offset(11))));
        assert_eq!(Head::read(&*store).await.expect("reads").map(|head| head.lowest), Some(11));
        let newest = Manifest::newest(&*store).await.expect("reads").expect("there is one");
        assert_eq!((newest.epoch, newest.parts.len()), (6, 3));
        assert_eq!(newest.content(&*store).await.expect("reads"), vec![7; 20 << 20]);
    });
}

#[test]
fn a_checkpoint_with_a_wrong_hash_is_refused_by_name() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        writer(&store, 1, "a.1", Place::FIRST).put_checkpoint(offered(4, 9, "same"), 2).await.expect("puts");
        let newest = Manifest::newest(&*store).await.expect("reads").expect("there is one");
        store.put(&newest.parts[1].name, vec![8; 8 << 20].into()).await.expect("puts");
        let error = newest.content(&*store).await.expect_err("another part").to_string();
        assert!(error.contains(&newest.parts[1].name) && error.contains("hash"), "{error}");
        let name = store.names().into_iter().find(|name| name.ends_with("manifest")).expect("there is one");
        let text = store.get(&name).await.expect("reads").expect("it is there");
        let text = String::from_utf8(text.to_vec()).expect("text").replace("\"epoch\":4", "\"epoch\":5");
        store.put(&name, text.into()).await.expect("puts");
        let error = Manifest::newest(&*store).await.expect_err("changed").to_string();
        assert!(error.contains("hash does not fit"), "{error}");
    });
}

#[test]
fn another_state_than_the_leaders_is_an_alarm_and_tells_both() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        let mut leader = writer(&store, 1, "a.1", Place::FIRST);
        let mut comparison = Comparison::default();
        comparison.own(1, "same".to_owned());
        comparison.own(2, "ours".to_owned());
        leader.put_checkpoint(offered(1, 9, "same"), 5).await.expect("puts");
        comparison.compare(&*store).await.expect("compares");
        assert_eq!((comparison.same_at, comparison.differences), (Some(1), 0));
        leader.put_checkpoint(offered(2, 17, "theirs"), 5).await.expect("puts");
        comparison.compare(&*store).await.expect("compares");
        assert_eq!(comparison.differs_at, Some((17, "theirs".to_owned(), "ours".to_owned())));
    });
}

#[test]
fn a_leader_of_another_version_may_have_another_state() {
    run(async {
        let store = Arc::new(MemoryStore::default());
        let mut writer = writer(&store, 1, "a.1", Place::FIRST);
        let mut of_another = offered(5, 50, "ff");
        of_another.manifest.engine = "0.0.9".to_owned();
        writer.put_checkpoint(of_another, 3).await.expect("puts");
        writer.put_checkpoint(offered(6, 60, "06"), 3).await.expect("puts");
        let mut comparison = Comparison::default();
        comparison.own(5, "05".to_owned());
        comparison.compare(&*store).await.expect("reads");
        assert_eq!((comparison.same_at, comparison.differences), (None, 0));
        // It is upgraded as well.
        comparison.own(6, "06".to_owned());
        comparison.compare(&*store).await.expect("reads");
        assert_eq!((comparison.same_at, comparison.differences), (Some(6), 0));
    });
}

#[test]
fn nothing_is_acknowledged_without_a_lease_nor_before_the_mirror_has_it() {
    let clock = Arc::new(ManualClock::at(1_000));
    let status = MirrorStatus::new(&settings(Ack::Mirrored, Takeover::Manual), clock.clone(), at(5), at(5));
    status.set_trouble(Some("it is away".to_owned()));
    let ticking = |status: &MirrorStatus| {
        std::thread::scope(|scope| {
            let waited = scope.spawn(|| status.wait_until_acknowledgeable());
            while !waited.is_finished() {
                clock.set(ingest::time::Clock::now_ms(&*clock) + 50);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            waited.join().expect("no panic")
        })
    };
    let error = ticking(&status).expect_err("no lease").to_string();
    assert!(error.contains("lease is not renewed: it is away"), "{error}");
    status.permit(u64::MAX);
    assert_eq!(ticking(&status), Ok(()));
    status.appended(Offset(5), &tick(1));
    status.synced();
    assert_eq!(ticking(&status), Err(LogError::Waiting { reason: "it is away".to_owned() }));
    assert_eq!(status.behind().entries, 1);
    status.set_mirrored(at(6));
    assert_eq!((ticking(&status), status.behind().entries), (Ok(()), 0));
    status.fence("b.1 leads".to_owned());
    assert_eq!(ticking(&status), Err(LogError::Failed { reason: "b.1 leads".to_owned() }));
    assert_eq!(status.not_ready(), ["b.1 leads"]);
}

#[test]
fn the_mirror_is_written_while_the_journal_is_synced_if_both_are_waited_for() {
    for (ack, is_ready) in [(Ack::Mirrored, true), (Ack::Local, false)] {
        let clock = Arc::new(ManualClock::at(1_000));
        let status = MirrorStatus::new(&settings(ack, Takeover::Manual), clock.clone(), at(5), at(5));
        status.permit(u64::MAX);
        status.appended(Offset(5), &tick(1));
        status.syncing();
        assert_eq!(matches!(status.work_from(Offset(5), 1), Work::Entries(_)), is_ready, "{ack:?}");
        if is_ready {
            status.set_mirrored(at(6));
        }
        status.synced();
        assert!(is_ready || matches!(status.work_from(Offset(5), 1), Work::Entries(_)), "{ack:?}");
        assert_eq!(status.behind().entries, u64::from(!is_ready));
        assert_eq!(status.wait_until_acknowledgeable(), Ok(()));
    }
}

/// A region of a test: a folder, and the store of all of them.
fn region<'a>(config: &'a Config, store: &Arc<dyn Store>) -> Region<'a> {
    let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
    Region { config, storage, clock: Arc::new(ManualClock::at(5_000)), store: Arc::clone(store) }
}

fn config(folder: &Path) -> Config {
    let address = "127.0.0.1:1".parse().expect("an address");
    Config::embedded_demo(folder, address, address)
}

#[test]
fn the_log_says_who_leads_and_a_fork_is_set_aside() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let mirror = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(mirror.path().join("there")));
    let configs = [config(folders[0].path()), config(folders[1].path())];
    let [lyon, paris] = [region(&configs[0], &store), region(&configs[1], &store)];
    run(async {
        assert!(paris.prepare(true).await.expect("looks").is_none(), "there is nothing to follow yet");
        let first = lyon.prepare(false).await.expect("looks").expect("it begins");
        assert_eq!((first.role, first.end), (Role::Leader, None));
        // Lyon leads, and dies with two entries that the mirror does not have.
        let storage: Arc<dyn Storage> = Arc::new(DiskStorage);
        let journal_folder = &configs[0].journal.folder;
        let identity =
            Identity { generation: 1, writer: format!("{}.1", first.identity.node), ..first.identity };
        identity.write(&storage, journal_folder).expect("written");
        let (mut journal, _) = Journal::open(Arc::clone(&storage), &configs[0].journal).expect("opens");
        for entry in ticks(0..6) {
            journal.append(&entry).expect("appended");
        }
        journal.sync().expect("synced");
        drop(journal);
        let mut writer =
            Writer::new(Arc::clone(&store), &identity.cluster, 1, &identity.writer, Place::FIRST);
        assert_eq!(writer.put(ticks(0..4)).await.expect("puts"), Put::Done);
        let again = lyon.prepare(false).await.expect("looks").expect("it goes on");
        assert_eq!((again.role, again.end.map(|end| end.offset)), (Role::Leader, Some(Offset(5))));
        let error = lyon.prepare(true).await.expect_err("what is here must be mirrored first").to_string();
        assert!(error.contains("without --standby"), "{error}");
        // Paris follows, and takes over.
        let error = paris.prepare(false).await.expect_err("it has no journal").to_string();
        assert!(error.contains("--standby"), "{error}");
        let follower = paris.prepare(true).await.expect("looks").expect("there is something to follow");
        assert_eq!(follower.role, Role::Follower);
        let other = format!("{}.1", follower.identity.node);
        let mut successor = Writer::new(Arc::clone(&store), &identity.cluster, 2, &other, writer.place);
        let generation = Entry::Generation { generation: 2, writer: other.clone() };
        assert_eq!(successor.put(vec![generation]).await.expect("puts"), Put::Done);
        // Lyon comes back: its fork is beside the journal, and it follows.
        let back = lyon.prepare(false).await.expect("looks").expect("it follows");
        assert_eq!((back.role, back.checkpoints_until), (Role::Follower, Offset(5)));
        let (journal, _) = Journal::open(Arc::clone(&storage), &configs[0].journal).expect("opens");
        assert_eq!(journal.next_offset(), Offset(5));
        let fork = journal_folder.join(format!("fork-{:020}-{}.chunk", 5, identity.writer));
        let fork = std::fs::read(fork).expect("it is there");
        assert_eq!(Chunk::decode(&fork.into(), Offset(5)).expect("reads").entries, ticks(4..6));
        // What it alone had goes to whoever leads, by way of the mirror, once, however often it is handed over.
        for handed in [1, 0] {
            let now = forks::hand_over(&*store, &*storage, journal_folder).await.expect("handed over");
            assert_eq!(now, handed);
        }
        let fork = forks::Fork::oldest(&*store).await.expect("reads").expect("is there");
        assert_eq!(fork.orders, [], "ticks are of no use to others");
        fork.remove(&*store).await.expect("removed");
        assert!(forks::Fork::oldest(&*store).await.expect("reads").is_none());
        // A mirror of another journal is refused.
        Head::new("c9", 1, 1).replace(&*store).await.expect("puts");
        let error = lyon.prepare(false).await.expect_err("another journal");
        assert!(matches!(error, MirrorError::Foreign { .. }), "{error}");
    });
}

/// Who is told to lead notes it, and writes its generation into its own journal, before the mirror has anything of it. A
/// leader that still lives, and writes every moment, may have the place.
#[test]
fn a_standby_that_was_promoted_and_came_too_late_follows_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(mirror.path().join("there")));
    let config = config(folder.path());
    let lyon = region(&config, &store);
    run(async {
        Head::new("c1", 1, 4).make(&*store).await.expect("made");
        let mut paris = Writer::new(Arc::clone(&store), "c1", 4, "paris.1", Place::FIRST);
        assert_eq!(paris.put(ticks(0..4)).await.expect("puts"), Put::Done);
        // Lyon has followed so far, leads from here on, and takes messages in that the mirror never gets.
        let ours = "lyon.2".to_owned();
        let identity = Identity {
            cluster: "c1".to_owned(),
            node: "lyon".to_owned(),
            generation: 5,
            writer: ours.clone(),
            claims_from: Some(5),
            shown: 5,
        };
        identity.write(&lyon.storage, &config.journal.folder).expect("written");
        let open = || Journal::open(Arc::clone(&lyon.storage), &config.journal).expect("opens").0;
        let mut journal = open();
        let generation = Entry::Generation { generation: 5, writer: ours.clone() };
        for entry in ticks(0..4).into_iter().chain([generation.clone(), tick(9)]) {
            journal.append(&entry).expect("appended");
        }
        journal.sync().expect("synced");
        drop(journal);
        // It is killed before the mirror hears of it: nobody has the place, so it leads on.
        let again = lyon.prepare(false).await.expect("looks").expect("leads");
        assert_eq!((again.role, open().next_offset()), (Role::Leader, Offset(7)));
        // Paris, of a lower generation, was faster.
        assert_eq!(paris.put(ticks(4..6)).await.expect("puts"), Put::Done);
        for _ in 0..2 {
            let back = lyon.prepare(false).await.expect("looks").expect("follows");
            assert_eq!((back.role, open().next_offset()), (Role::Follower, Offset(5)));
        }
        let fork = config.journal.folder.join(format!("fork-{:020}-{ours}.chunk", 5));
        let fork = Chunk::decode(&std::fs::read(&fork).expect("there").into(), Offset(5)).expect("reads");
        assert_eq!(fork.entries, [generation, tick(9)]);
        let mut follower = Follower::new(Arc::clone(&store), open().place());
        assert_eq!(follower.rest().await.expect("reads"), None);
        let chunk = follower.next().await.expect("reads").expect("is there");
        assert_eq!((chunk.entries, chunk.writer.as_str()), (ticks(4..6), "paris.1"));
    });
}

/// Who goes on alone from last night's backup would write over what was mirrored since.
#[test]
fn a_journal_that_is_shorter_than_its_mirror_is_not_written_behind_that() {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(ManualClock::at(5_000));
    run(async {
        Head::new("c1", 1, 1).make(&*store).await.expect("made");
        let mut before = writer(&store, 1, "lyon.1", Place::FIRST);
        assert_eq!(before.put(ticks(0..8)).await.expect("puts"), Put::Done);
    });
    let mut leads_from = Place::FIRST;
    ticks(0..5).iter().for_each(|entry| leads_from.pass(entry));
    let settings = settings(Ack::Local, Takeover::Manual);
    let status = Arc::new(MirrorStatus::new(&settings, clock.clone(), leads_from, leads_from));
    let identity = Identity {
        generation: 2,
        writer: "lyon.2".to_owned(),
        claims_from: Some(leads_from.offset.0),
        ..Identity::new("c1".to_owned(), &*clock)
    };
    let leader = Leader {
        settings,
        store,
        clock,
        read: Arc::new(|_| unreachable!("there is nothing to mirror")),
        identity,
        first: Place::FIRST,
        leads_from: leads_from.offset,
        end: None,
        keep: 2,
    };
    let mirror = Mirror::start(leader, Arc::clone(&status)).expect("a thread");
    let waits = |_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        status.fenced()
    };
    let fenced = (0..2_000).find_map(waits).expect("it steps down");
    assert!(fenced.contains("lyon.1 leads since generation 1: it has written entry 6"), "{fenced}");
    drop(mirror);
}

/// A power cut while the fork is taken out of the journal, segment by segment.
#[test]
fn a_fork_that_is_set_aside_in_two_goes_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(mirror.path().join("there")));
    let config = config(folder.path());
    let lyon = region(&config, &store);
    run(async {
        Head::new("c1", 1, 2).make(&*store).await.expect("made");
        let mut paris = Writer::new(Arc::clone(&store), "c1", 2, "paris.1", Place::FIRST);
        assert_eq!(paris.put(ticks(50..51)).await.expect("puts"), Put::Done);
        let ours = "lyon.1".to_owned();
        let identity =
            Identity { generation: 1, writer: ours.clone(), ..Identity::new("c1".into(), &*lyon.clock) };
        let write = |seconds| {
            identity.write(&lyon.storage, &config.journal.folder).expect("written");
            let (mut journal, _) = Journal::open(Arc::clone(&lyon.storage), &config.journal).expect("opens");
            for entry in ticks(seconds) {
                journal.append(&entry).expect("appended");
            }
            journal.sync().expect("synced");
        };
        write(0..6);
        assert_eq!(lyon.prepare(false).await.expect("looks").expect("follows").role, Role::Follower);
        // As the cut has left it: the newest entries are gone already, and the note is the one before.
        write(0..2);
        assert_eq!(lyon.prepare(false).await.expect("looks").expect("follows").role, Role::Follower);
        let fork = config.journal.folder.join(format!("fork-{:020}-{ours}.chunk", 1));
        let fork = Chunk::decode(&std::fs::read(&fork).expect("there").into(), Offset(1)).expect("reads");
        assert_eq!(fork.entries, ticks(0..6));
    });
}

/// Under `mirrored` a chunk may be in the mirror before a power cut takes its entries from the disk here.
#[test]
fn what_the_mirror_alone_has_of_our_own_is_taken_back_before_we_lead_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(FolderStore::new(mirror.path().join("there")));
    let config = config(folder.path());
    let lyon = region(&config, &store);
    let journal = || {
        let journal = Journal::open(Arc::new(DiskStorage), &config.journal).expect("opens").0;
        let entries: Vec<Entry> =
            journal.read(Offset(0)).expect("reads").map(|entry| entry.expect("whole").1).collect();
        (journal, entries)
    };
    run(async {
        let first = lyon.prepare(false).await.expect("looks").expect("it begins");
        let identity =
            Identity { generation: 1, writer: format!("{}.1", first.identity.node), ..first.identity };
        identity.write(&lyon.storage, &config.journal.folder).expect("written");
        let (mut of_lyon, _) = journal();
        for entry in ticks(0..4) {
            of_lyon.append(&entry).expect("appended");
        }
        of_lyon.sync().expect("synced");
        drop(of_lyon);
        let mut writer =
            Writer::new(Arc::clone(&store), &identity.cluster, 1, &identity.writer, Place::FIRST);
        for seconds in [0..3, 3..7, 7..8] {
            assert_eq!(writer.put(ticks(seconds)).await.expect("puts"), Put::Done);
        }
        let again = lyon.prepare(false).await.expect("looks").expect("it goes on");
        assert_eq!((again.role, again.end.map(|end| end.offset)), (Role::Leader, Some(Offset(9))));
        assert_eq!(journal().1, ticks(0..8));

        // Of a tail whose beginning is gone nothing is taken, and nobody leads without it.
        assert_eq!(writer.put(ticks(8..9)).await.expect("puts"), Put::Done);
        assert_eq!(writer.put(ticks(9..10)).await.expect("puts"), Put::Done);
        store.remove(&Chunk::name(Offset(9))).await.expect("removed");
        let again = lyon.prepare(false).await.expect("looks").expect("it follows");
        assert_eq!(again.role, Role::Follower);
        assert_eq!(journal().1, ticks(0..8));
    });
}

#[test]
fn the_power_went_before_the_first_sync_of_all_and_the_region_still_leads() {
    let folder = tempfile::tempdir().expect("a folder");
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let config = config(folder.path());
    let lyon = region(&config, &store);
    run(async {
        let first = lyon.prepare(false).await.expect("looks").expect("it begins");
        let writer = format!("{}.1", first.identity.node);
        let identity = Identity { generation: 1, writer, claims_from: Some(1), ..first.identity };
        identity.write(&lyon.storage, &config.journal.folder).expect("written");
        // The chunk is on its way while the journal is synced, and was faster.
        let mut writer =
            Writer::new(Arc::clone(&store), &identity.cluster, 1, &identity.writer, Place::FIRST);
        assert_eq!(writer.put(ticks(0..2)).await.expect("puts"), Put::Done);
        let again = lyon.prepare(false).await.expect("looks").expect("it goes on");
        assert_eq!((again.role, again.end.map(|end| end.offset)), (Role::Leader, Some(Offset(3))));
        let journal = Journal::open(Arc::new(DiskStorage), &config.journal).expect("opens").0;
        let entries = journal.read(Offset(0)).expect("reads").map(|entry| entry.expect("whole").1);
        assert_eq!(entries.collect::<Vec<_>>(), ticks(0..2));
    });
}

#[test]
fn a_disk_that_is_not_mounted_is_no_mirror() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FolderStore::new(folder.path().join("mirror"));
    run(async {
        let chunk = Chunk::name(Offset(1));
        let error = store.put_new(&chunk, "x".into()).await.expect_err("no HEAD").to_string();
        assert!(error.contains("is it mounted?"), "{error}");
        assert!(store.put_new("HEAD", "{}".into()).await.expect("made"));
        assert!(store.put_new(&chunk, "x".into()).await.expect("made"));
        assert!(!store.put_new(&chunk, "y".into()).await.expect("there is one"));
        assert_eq!(store.get(&chunk).await.expect("reads").as_deref(), Some(&b"x"[..]));
        let names: Vec<String> =
            list_all(&store, "journal/", "").await.expect("lists").into_iter().map(|it| it.name).collect();
        assert_eq!(names, [Chunk::name(Offset(1))]);
        assert_eq!(list_all(&store, "journal/", &chunk).await.expect("lists"), []);
    });
}

#[test]
fn a_chunk_is_not_written_over_by_who_was_killed_while_it_had_two_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = [1, 41].map(|offset| Chunk::name(Offset(offset)));
    run(async {
        let store = FolderStore::new(folder.path().to_owned());
        store.put_new("HEAD", "{}".into()).await.expect("made");
        store.put_new(&first, "the first".into()).await.expect("made");
        // In a container every process has the same number.
        let journal = folder.path().join("journal");
        for number in 0..4 {
            let unfinished = journal.join(format!(".unfinished-{}-{number}", std::process::id()));
            std::fs::hard_link(folder.path().join(&first), unfinished).expect("linked");
        }
        let store = FolderStore::new(folder.path().to_owned());
        store.put_new(&second, "another".into()).await.expect("made");
        assert_eq!(store.get(&first).await.expect("reads").as_deref(), Some(&b"the first"[..]));
        assert_eq!(store.get(&second).await.expect("reads").as_deref(), Some(&b"another"[..]));
    });
}

#[test]
fn a_folder_of_many_objects_is_listed_page_by_page_in_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str| std::fs::write(folder.path().join(name), "x").expect("written");
    for part in ["journal", "checkpoints/00007", "checkpoints/00008"] {
        std::fs::create_dir_all(folder.path().join(part)).expect("a folder");
        put(&format!("{part}/.unfinished-1-1"));
    }
    let chunks: Vec<String> = (0..2_000).map(|number| Chunk::name(Offset(number * 7))).collect();
    chunks.iter().rev().for_each(|chunk| put(chunk));
    let of_checkpoints =
        ["checkpoints/00007/manifest", "checkpoints/00007/part-0", "checkpoints/00008/part-0"];
    of_checkpoints.iter().for_each(|name| put(name));
    run(async {
        let store = FolderStore::new(folder.path().to_owned());
        let listed = async |folder: &str, after: &str| -> Vec<String> {
            let found = list_all(&store, folder, after).await.expect("lists").into_iter();
            found.map(|found| found.name).collect()
        };
        assert_eq!(store.list("journal/", &chunks[4]).await.expect("lists").len(), 1_000);
        assert!(listed("journal/", "").await == chunks);
        assert!(listed("journal/", &chunks[1_500]).await == chunks[1_501..]);
        assert_eq!(listed("checkpoints/", "").await, of_checkpoints);
        assert_eq!(listed("checkpoints/", of_checkpoints[0]).await, of_checkpoints[1..]);
        assert_eq!(listed("forks/", "").await, [""; 0]);
    });
}
