//! Data in a directory of plain files: a manifest, and for each table one file of JSON lines,
//! compressed with zstd. It is taken from any store and put into any.
//!
//! A line is an object: the columns by their names, and `@tenant`. Ids are written with hyphens,
//! bytes in base64, truths as such; times are microseconds since 1970, dates days, amounts whole
//! units, as SQLite stores them. The manifest is written last: a directory without it is no backup.

use crate::ports::transfer::{
    Forgotten, Form, Holds, Reading, SYSTEM, Scope, Sheet, Sheets, Trace, Transfer, TransferError,
    Transferred, Writing,
};
use crate::private;
use ir::schema::Storage;
use serde_json::{Value as Json, json};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod line;
mod read;
mod write;

/// Name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// The format of our manifests.
const FORMAT: u64 = 1;
/// Bytes of a line at most.
const LINE_BYTES_MAX: usize = 256 << 20;
/// How hard it is compressed.
const LEVEL: i32 = 3;

/// A directory of plain files.
pub struct Archive {
    path: PathBuf,
    sheets: Sheets,
    scope: Scope,
    tenants: Vec<Arc<str>>,
    /// By sheet; empty in one that is to be written.
    files: Vec<Entry>,
    /// Microseconds since 1970.
    taken: i64,
}

/// The file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of the file.
    pub file: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the file, in hex digits.
    sha256: String,
}

impl Archive {
    /// One that is to be written to a directory that is empty, or not there.
    pub fn create(path: &Path, sheets: &Sheets, taken: i64) -> Self {
        let (path, sheets, scope) = (path.to_owned(), sheets.clone(), Scope::Whole);
        Self { path, sheets, scope, tenants: Vec::new(), files: Vec::new(), taken }
    }

    /// One that was written.
    ///
    /// # Errors
    /// [`TransferError`], which says what is not as it was written.
    pub fn open(path: &Path) -> Transferred<Self> {
        let file = path.join(MANIFEST);
        let text = std::fs::read_to_string(&file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => TransferError::Failed(format!(
                "`{}` is not a whole backup: it has no `{MANIFEST}`, which is written last",
                path.display()
            )),
            _ => io(&file)(error),
        })?;
        let wrong = |what: &str| TransferError::Failed(format!("`{}` {what}", file.display()));
        let not_one = || wrong("is not a manifest of a backup");
        let json: Json = serde_json::from_str(&text).map_err(|_| not_one())?;
        match (json["mainstay"].as_str(), json["format"].as_u64()) {
            (Some("rows"), Some(FORMAT)) => {}
            (Some("rows"), Some(_)) => {
                return Err(wrong("is of a format that this version does not know"));
            }
            _ => return Err(not_one()),
        }
        let named = |json: &Json| json.as_str().map(Arc::<str>::from);
        let tenants = json["tenants"].as_array().ok_or_else(not_one)?;
        let tenants = tenants.iter().map(named).collect::<Option<_>>().ok_or_else(not_one)?;
        let mut all = Self {
            path: path.to_owned(),
            sheets: Sheets {
                system: named(&json["system"]).ok_or_else(not_one)?.to_string(),
                all: Vec::new(),
            },
            scope: named(&json["tenant"]).map_or(Scope::Whole, Scope::Tenant),
            tenants,
            files: Vec::new(),
            taken: json["taken"].as_i64().ok_or_else(not_one)?,
        };
        for (at, table) in json["tables"].as_array().ok_or_else(not_one)?.iter().enumerate() {
            let (sheet, entry) = table_of(at, table).ok_or_else(not_one)?;
            all.sheets.all.push(sheet);
            all.files.push(entry);
        }
        all.check()?;
        Ok(all)
    }

    /// True where a directory holds one.
    pub fn is_in(path: &Path) -> bool {
        path.join(MANIFEST).exists()
    }

    /// Whose rows it holds.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Name of the system whose rows it holds.
    pub fn system(&self) -> String {
        self.sheets.system.clone()
    }

    /// Microseconds since 1970 when it was taken.
    pub fn taken(&self) -> i64 {
        self.taken
    }

    /// Refuses files that are not those that were written.
    fn check(&self) -> Transferred<()> {
        for entry in &self.files {
            let path = self.path.join(&entry.file);
            if !path.exists() || checksum(&path)? != (entry.bytes, entry.sha256.clone()) {
                return Err(TransferError::Failed(format!(
                    "`{}` is damaged: it is not the file that was written; use another backup",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

fn table_of(at: usize, table: &Json) -> Option<(Sheet, Entry)> {
    let name = table["table"].as_str()?;
    let holds = match SYSTEM.iter().position(|one| one.name == name) {
        Some(system) => Holds::System(system),
        None => Holds::Rows { table: at, shared: table["shared"].as_bool()? },
    };
    let column = |json: &Json| Some((json["name"].as_str()?.to_owned(), form(&json["form"])?));
    let columns = table["columns"].as_array()?.iter().map(column);
    let mut columns = columns.collect::<Option<Vec<(String, Form)>>>()?;
    if let Holds::System(at) = holds {
        // What the table gained since has its value in every line ([`line::read`]).
        for (name, form, _) in SYSTEM[at].gained() {
            if columns.iter().all(|(known, _)| known != name) {
                columns.push((name.to_owned(), form));
            }
        }
    }
    let file = table["file"].as_str()?.to_owned();
    // A name that would leave the directory is no name of ours.
    let plain = Path::new(&file).components().count() == 1 && !file.starts_with('.');
    let entry = Entry {
        file,
        rows: table["rows"].as_u64()?,
        bytes: table["bytes"].as_u64()?,
        sha256: table["sha256"].as_str()?.to_owned(),
    };
    plain.then_some((Sheet { name: name.to_owned(), holds, columns }, entry))
}

fn form(json: &Json) -> Option<Form> {
    match json.as_str() {
        Some("bytes") => Some(Form::Bytes),
        Some("small") => Some(Form::Small),
        _ => serde_json::from_value::<Storage>(json.clone()).ok().map(Form::Stored),
    }
}

fn told(form: Form) -> Json {
    match form {
        Form::Bytes => json!("bytes"),
        Form::Small => json!("small"),
        Form::Stored(storage) => json!(storage),
    }
}

impl Transfer for Archive {
    fn sheets(&self) -> &Sheets {
        &self.sheets
    }

    fn tenants(&self) -> Transferred<Vec<Arc<str>>> {
        Ok(self.tenants.clone())
    }

    fn read(&self, scope: &Scope) -> Transferred<Box<dyn Reading + '_>> {
        match (scope, &self.scope) {
            (Scope::Whole, Scope::Tenant(tenant)) => Err(TransferError::Failed(format!(
                "`{}` holds the tenant `{tenant}` alone",
                self.path.display()
            ))),
            (Scope::Tenant(one), Scope::Tenant(other)) if one != other => {
                Err(TransferError::Failed(format!(
                    "`{}` holds the tenant `{other}`, not `{one}`",
                    self.path.display()
                )))
            }
            _ => Ok(Box::new(read::ArchiveReading::new(self, scope)?)),
        }
    }

    fn write(&self, scope: &Scope, _replace: bool) -> Transferred<Box<dyn Writing + '_>> {
        private::directory(&self.path).map_err(io(&self.path))?;
        let mut entries = std::fs::read_dir(&self.path).map_err(io(&self.path))?;
        if entries.next().is_some() {
            let path = self.path.display();
            let what = format!("`{path}` is not empty: choose a directory that is");
            return Err(TransferError::NotEmpty(what));
        }
        Ok(Box::new(write::ArchiveWriting::new(self, scope)?))
    }

    fn provision(&self, _tenant: &str) -> Transferred<()> {
        Err(TransferError::failed("a backup is not changed"))
    }

    fn erase(&self, _tenant: &str) -> Transferred<()> {
        Err(TransferError::failed("a backup is not changed"))
    }

    fn forget(&self, _tenants: &[Arc<str>], _traces: &[Trace]) -> Transferred<Forgotten> {
        Err(TransferError::failed("a backup is not changed"))
    }
}

/// Size and SHA-256 in hex digits.
fn checksum(path: &Path) -> Transferred<(u64, String)> {
    let mut file = std::fs::File::open(path).map_err(io(path))?;
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(io(path))?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
        digest.update(&buffer[..read]);
    }
    Ok((bytes, digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> TransferError {
    let path = path.to_owned();
    move |error| TransferError::Failed(format!("`{}`: {error}", path.display()))
}
