//! Names of files, as programs see them and as a power cut leaves them.

use std::io;
use std::path::{Path, PathBuf};

use super::PowerCut;
use super::world::{File, Node, Opened, World};

/// A name that comes, goes, or comes in place of another.
#[derive(Clone, Debug)]
pub(super) struct NameChange {
    gone: Option<PathBuf>,
    come: Option<(PathBuf, Node)>,
}

impl World {
    /// Opens the file of that name, or makes one whose name is not durable yet.
    pub(super) fn open_or_name(&mut self, path: &Path) -> io::Result<Opened> {
        if !self.nodes.contains_key(path) {
            self.needs_room(true)?;
            self.check_folder_of(path)?;
            self.files.push(File::default());
            let node = Node::File(self.files.len() - 1);
            self.nodes.insert(path.to_owned(), node);
            self.unsynced_names.push(NameChange { gone: None, come: Some((path.to_owned(), node)) });
        }
        self.open(path)
    }

    /// A name that is durable at once.
    pub(super) fn put_name(&mut self, path: &Path, node: Node) {
        self.nodes.insert(path.to_owned(), node);
        self.durable_nodes.insert(path.to_owned(), node);
    }

    pub(super) fn move_name(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.nodes.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.nodes.insert(to.to_owned(), node);
        let come = Some((to.to_owned(), node));
        self.unsynced_names.push(NameChange { gone: Some(from.to_owned()), come });
        Ok(())
    }

    /// A second name for a file, unless that is taken.
    pub(super) fn add_name(&mut self, from: &Path, to: &Path) -> io::Result<bool> {
        let node = *self.nodes.get(from).ok_or(io::ErrorKind::NotFound)?;
        if self.nodes.contains_key(to) {
            return Ok(false);
        }
        self.nodes.insert(to.to_owned(), node);
        self.unsynced_names.push(NameChange { gone: None, come: Some((to.to_owned(), node)) });
        Ok(true)
    }

    pub(super) fn remove_name(&mut self, path: &Path) -> io::Result<()> {
        self.nodes.remove(path).ok_or(io::ErrorKind::NotFound)?;
        self.unsynced_names.push(NameChange { gone: Some(path.to_owned()), come: None });
        Ok(())
    }

    /// Makes the names of a folder durable, in the order of their changes.
    pub(super) fn sync_names(&mut self, folder: &Path) {
        let World { unsynced_names, durable_nodes, .. } = self;
        let is_here = |path: &Path| path.parent() == Some(folder);
        for change in unsynced_names.iter_mut() {
            let goes_here = change.gone.as_deref().is_some_and(is_here);
            if goes_here || change.come.as_ref().is_some_and(|(path, _)| is_here(path)) {
                durable_nodes.extend(change.come.take());
            }
            if goes_here && let Some(gone) = change.gone.take() {
                durable_nodes.remove(&gone);
            }
        }
        unsynced_names.retain(|change| change.gone.is_some() || change.come.is_some());
    }

    /// Takes names back to what a power cut leaves.
    pub(super) fn cut_names(&mut self, cut: PowerCut) {
        for change in std::mem::take(&mut self.unsynced_names) {
            if cut == PowerCut::KeepSome && self.draw() {
                // A file is under its new name, its old one, or both: never under none.
                let gone = change.gone.filter(|_| change.come.is_none() || self.draw());
                self.durable_nodes.extend(change.come);
                gone.map(|gone| self.durable_nodes.remove(&gone));
            }
        }
        self.nodes.clone_from(&self.durable_nodes);
    }
}
