//! What `bindery init` made so far, taken back when it fails half-way: nothing that was there before is touched.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::CommandError;

/// Files and folders made, in order. Dropping it removes them again unless [`Made::keep`] was called.
#[derive(Default)]
pub(super) struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Made {
    /// Makes a folder with this mode, and those above it; one that is there must be empty, and stays when all else is taken back.
    pub(super) fn empty_folder(&mut self, path: &Path, mode: u32) -> Result<(), CommandError> {
        match fs::read_dir(path) {
            Ok(mut inside) => match inside.next() {
                None => Ok(()),
                Some(_) => Err(CommandError::Cannot(format!(
                    "{}: the folder is not empty; name another one, or remove what is in it",
                    path.display()
                ))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.folder(path, mode),
            Err(error) => Err(cannot(path, &error)),
        }
    }

    /// Makes a folder with this mode, and those above it with the mode of new folders; one that is there stays as it is.
    pub(super) fn folder(&mut self, path: &Path, mode: u32) -> Result<(), CommandError> {
        let missing: Vec<&Path> =
            path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
        for folder in missing.into_iter().rev() {
            let mode = if folder == path { mode } else { 0o755 };
            DirBuilder::new().mode(mode).create(folder).map_err(|error| cannot(folder, &error))?;
            self.folders.push(folder.to_path_buf());
            set_mode(folder, mode)?;
        }
        Ok(())
    }

    /// Makes a symbolic link.
    pub(super) fn link(&mut self, to: &Path, path: &Path) -> Result<(), CommandError> {
        std::os::unix::fs::symlink(to, path).map_err(|error| cannot(path, &error))?;
        self.files.push(path.to_path_buf());
        Ok(())
    }

    /// Writes a new file with this mode, durably.
    pub(super) fn file(&mut self, path: &Path, content: &[u8], mode: u32) -> Result<(), CommandError> {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|error| cannot(path, &error))?;
        self.files.push(path.to_path_buf());
        let written = file.set_permissions(Permissions::from_mode(mode)).and_then(|()| file.write_all(content));
        written.and_then(|()| file.sync_all()).map_err(|error| cannot(path, &error))
    }

    /// All is well: what was made stays, durably.
    pub(super) fn keep(mut self) -> Result<(), CommandError> {
        for folder in &self.folders {
            let above = folder.parent().unwrap_or(folder);
            for path in [folder.as_path(), above] {
                fs::File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| cannot(path, &error))?;
            }
        }
        self.files.clear();
        self.folders.clear();
        Ok(())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // What cannot be removed stays: the error that led here is the one to report.
        for file in self.files.drain(..).rev() {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.drain(..).rev() {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), CommandError> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &io::Error) -> CommandError {
    CommandError::Cannot(format!("{}: {error}", path.display()))
}
