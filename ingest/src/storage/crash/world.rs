//! What is in the memory of a [`CrashStorage`](super::CrashStorage), and what a power cut leaves of it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::PowerCut;
use super::names::NameChange;

/// The grain in which a power cut keeps and loses what was not synced.
const SECTOR_BYTES: usize = 512;

#[derive(Debug, Default)]
pub(super) struct World {
    seed: u64,
    draws: u64,
    pub(super) calls: u64,
    pub(super) plan: Option<(u64, Plan)>,
    pub(super) is_full: bool,
    pub(super) is_cut: bool,
    /// Files opened before the last restart are dead.
    starts: u64,
    pub(super) nodes: BTreeMap<PathBuf, Node>,
    /// Names that a power cut leaves for certain, and the changes of names that are in `nodes` alone.
    pub(super) durable_nodes: BTreeMap<PathBuf, Node>,
    pub(super) unsynced_names: Vec<NameChange>,
    /// A bit that is read wrongly, and whether anybody has.
    pub(super) flip: Option<(PathBuf, u64)>,
    pub(super) has_flipped: bool,
    pub(super) read_bytes_max: Option<usize>,
    /// By [`Node::File`]. A file without a name stays, for those who have it open.
    pub(super) files: Vec<File>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    Fail(io::ErrorKind),
    Cut(PowerCut),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Folder,
    File(usize),
}

/// A file, and the process that opened it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    file: usize,
    starts: u64,
}

#[derive(Debug, Default)]
pub(super) struct File {
    /// What programs see.
    pub(super) live: Vec<u8>,
    /// What a power cut leaves for certain.
    durable: Vec<u8>,
    /// Changes that are in `live` alone.
    pub(super) unsynced: Vec<Change>,
    /// Number of the operation that wrote all of it.
    pub(super) changed_at: u64,
    pub(super) is_locked: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// What becomes of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Done,
    Failed(io::ErrorKind),
    /// It takes place, and nobody is told.
    DoneThenCut,
    NotDoneThenCut,
}

pub(super) fn no_power() -> io::Error {
    io::Error::other("the power is cut")
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        World { seed, ..World::default() }
    }

    /// What becomes of the operation that is called now.
    pub(super) fn fate(&mut self) -> Fate {
        if self.is_cut {
            return Fate::NotDoneThenCut;
        }
        self.calls += 1;
        let Some((call, plan)) = self.plan else { return Fate::Done };
        match plan {
            _ if call != self.calls => Fate::Done,
            Plan::Fail(kind) => Fate::Failed(kind),
            Plan::Cut(PowerCut::KeepSome) if self.draw() => Fate::DoneThenCut,
            Plan::Cut(_) => Fate::NotDoneThenCut,
        }
    }

    /// A coin, by the seed.
    pub(super) fn draw(&mut self) -> bool {
        self.draws += 1;
        xxh3_64_with_seed(&self.draws.to_le_bytes(), self.seed) & 1 == 1
    }

    pub(super) fn cut(&mut self, cut: PowerCut) {
        self.is_cut = true;
        if cut == PowerCut::KeepAll {
            return;
        }
        self.cut_names(cut);
        let mut files = std::mem::take(&mut self.files);
        for file in &mut files {
            for change in std::mem::take(&mut file.unsynced) {
                if cut == PowerCut::KeepSome {
                    self.keep_some(&mut file.durable, &change);
                }
            }
            file.live.clone_from(&file.durable);
        }
        self.files = files;
    }

    fn keep_some(&mut self, durable: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Length(len) => {
                if self.draw() {
                    Change::Length(*len).apply(durable);
                }
            }
            Change::Write(position, bytes) => {
                let mut rest = &bytes[..];
                let mut at = *position;
                while !rest.is_empty() {
                    let in_sector = SECTOR_BYTES - place(at) % SECTOR_BYTES;
                    let (sector, others) = rest.split_at(in_sector.min(rest.len()));
                    if self.draw() {
                        Change::Write(at, sector.to_vec()).apply(durable);
                    }
                    at += sector.len() as u64;
                    rest = others;
                }
            }
        }
    }

    pub(super) fn restart(&mut self) {
        self.plan = None;
        self.flip = None;
        self.read_bytes_max = None;
        self.is_cut = false;
        self.starts += 1;
        self.files.iter_mut().for_each(|file| file.is_locked = false);
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<Opened> {
        match self.nodes.get(path) {
            Some(Node::File(file)) => Ok(Opened { file: *file, starts: self.starts }),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn open_or_make(&mut self, path: &Path) -> io::Result<Opened> {
        if !self.nodes.contains_key(path) {
            self.needs_room(true)?;
            self.make(path, &[])?;
        }
        self.open(path)
    }

    /// Gives the name a new file.
    pub(super) fn make(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.check_folder_of(path)?;
        let file = File { live: content.to_vec(), durable: content.to_vec(), ..File::default() };
        self.files.push(file);
        self.put_name(path, Node::File(self.files.len() - 1));
        Ok(())
    }

    /// Flips the bit that is to be read wrongly, if it is among `bytes`, which stand at `position`.
    pub(super) fn spoil(&mut self, path: &Path, position: u64, bytes: &mut [u8]) {
        let Some((spoiled, bit)) = &self.flip else { return };
        let Some(at) = (bit / 8).checked_sub(position).filter(|_| spoiled == path) else { return };
        if let Some(byte) = bytes.get_mut(place(at)) {
            *byte ^= 1 << (bit % 8);
            self.has_flipped = true;
        }
    }

    /// Every file that has a name.
    pub(super) fn contents(&self) -> Vec<(PathBuf, bytes::Bytes)> {
        let content = |(path, node): (&PathBuf, &Node)| match node {
            Node::Folder => None,
            Node::File(file) => Some((path.clone(), self.files[*file].live.clone().into())),
        };
        self.nodes.iter().filter_map(content).collect()
    }

    pub(super) fn file(&mut self, opened: Opened) -> io::Result<&mut File> {
        if opened.starts != self.starts {
            return Err(io::Error::other("the process that opened it has ended"));
        }
        Ok(&mut self.files[opened.file])
    }

    pub(super) fn needs_room(&self, needs: bool) -> io::Result<()> {
        if self.is_full && needs { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    /// A folder must be there before something is put in it.
    pub(super) fn check_folder_of(&self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent() else { return Ok(()) };
        if parent.as_os_str().is_empty() || parent == Path::new("/") {
            return Ok(());
        }
        match self.nodes.get(parent) {
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Everything in a folder and in those within.
    pub(super) fn below(&self, folder: &Path) -> Vec<PathBuf> {
        self.nodes.keys().filter(|path| path.starts_with(folder) && *path != folder).cloned().collect()
    }
}

impl File {
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.unsynced.push(change);
    }

    /// Not `durable = live`: what a failed sync has forgotten stays lost.
    pub(super) fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            change.apply(&mut self.durable);
        }
    }
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Change::Length(len) => content.resize(place(*len), 0),
            Change::Write(position, bytes) => {
                let end = place(*position) + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[place(*position)..end].copy_from_slice(bytes);
            }
        }
    }
}

fn place(position: u64) -> usize {
    usize::try_from(position).expect("files of tests fit into memory")
}
