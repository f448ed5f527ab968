//! Tables that somebody else makes, as they are and as they must be: what is missing is told with
//! the statements that would bring it there. Nothing here runs one.

use ir::demand::{Demand, WantedColumn, WantedKey};
use ir::schema::Storage;

/// A table as it is.
#[derive(Debug, Clone, Default)]
pub struct FoundTable {
    /// All columns.
    pub columns: Vec<FoundColumn>,
    /// Columns of each whole, immediate unique index.
    pub uniques: Vec<Vec<String>>,
}

/// A column as it is.
#[derive(Debug, Clone, Default)]
pub struct FoundColumn {
    /// Name.
    pub name: String,
    /// Its type in the words of the database.
    pub kind: String,
    /// May be null.
    pub nullable: bool,
    /// A row may come without it: it has a default, or the database makes its values.
    pub optional: bool,
    /// The database makes its values, and takes none.
    pub generated: bool,
    /// How it sorts, where that is not byte by byte.
    pub collation: Option<String>,
}

/// Something that is missing or otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// What is the matter.
    pub what: String,
    /// Statements that would mend it; none where no single one can.
    pub cure: Vec<String>,
}

/// Tables of somebody else that can't be served as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The database, for people.
    pub place: String,
    /// What is the matter.
    pub lacks: Vec<Lack>,
}

impl std::fmt::Display for Unmet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has tables of somebody else that can't be served as they are", self.place)?;
        self.lacks.iter().try_for_each(|lack| write!(f, "\n  {}", lack.what))?;
        let mut cures = self.lacks.iter().flat_map(|lack| &lack.cure).peekable();
        if cures.peek().is_some() {
            write!(f, "\nwhose they are may run this, Mainstay runs none of it (`no_ddl`):")?;
            return cures.try_for_each(|cure| write!(f, "\n  {};", cure.replace('\n', "\n  ")));
        }
        Ok(())
    }
}

/// What a table lacks; `fits` says whether a column's type will do.
pub fn lacks(
    demand: &Demand,
    found: Option<&FoundTable>,
    fits: fn(&WantedColumn, &FoundColumn) -> bool,
) -> Vec<Lack> {
    let Some(found) = found else {
        let what = format!("table `{}` is missing", demand.shown());
        return vec![Lack { what, cure: demand.make.clone() }];
    };
    let mut all = Vec::new();
    for wanted in &demand.columns {
        let name = format!("column `{}` of `{}`", wanted.name, demand.shown());
        match found.columns.iter().find(|one| one.name == wanted.name) {
            Some(is) => all.extend(differs(&name, wanted, is, fits)),
            None => all.push(lack(format!("{name} is missing"), wanted.add.clone())),
        }
    }
    for is in &found.columns {
        let known = demand.columns.iter().any(|wanted| wanted.name == is.name);
        if !known && !is.nullable && !is.optional {
            let (column, table) = (&is.name, demand.shown());
            all.push(lack(
                format!(
                    "column `{column}` of `{table}` is not of the model, takes no null and has no \
                     default: no row could be added; give it one"
                ),
                Vec::new(),
            ));
        }
    }
    let missing = demand.keys.iter().filter(|key| !is_kept(key, found));
    all.extend(missing.map(|key| {
        let columns: Vec<_> = key.columns.iter().map(|column| format!("`{column}`")).collect();
        let (columns, table) = (columns.join(", "), demand.shown());
        let what = format!("`{table}` has no unique index over {columns}");
        lack(what, vec![key.add.clone()])
    }));
    all
}

fn lack(what: String, cure: Vec<String>) -> Lack {
    Lack { what, cure }
}

fn differs(
    name: &str,
    wanted: &WantedColumn,
    is: &FoundColumn,
    fits: fn(&WantedColumn, &FoundColumn) -> bool,
) -> Vec<Lack> {
    let mut all = Vec::new();
    let cure = |of: &Option<String>| of.iter().cloned().collect();
    if is.generated {
        let what = format!("{name} is filled by the database, which takes no value for it");
        all.push(lack(what, Vec::new()));
    }
    if !fits(wanted, is) {
        let (kind, needed, unit) = (&is.kind, &wanted.kind, unit(wanted.storage));
        let what = format!("{name} is `{kind}`, and `{needed}` is needed{unit}");
        all.push(lack(what, cure(&wanted.retype)));
    } else if let Some(collation) = is.collation.as_ref().filter(|_| wanted.sorted) {
        let what =
            format!("{name} sorts as `{collation}`, and pages go byte by byte (collation `C`)");
        all.push(lack(what, cure(&wanted.retype)));
    }
    match (wanted.nullable, is.nullable) {
        (true, false) => {
            let what = format!("{name} takes no null, and the model lets it be null");
            all.push(lack(what, cure(&wanted.renull)));
        }
        (false, true) => {
            let what = format!("{name} may be null, and the model does not say `optional`");
            all.push(lack(what, cure(&wanted.renull)));
        }
        (true, true) | (false, false) => {}
    }
    all
}

/// What a number means, where its type does not say.
fn unit(storage: Storage) -> &'static str {
    match storage {
        Storage::Units => ", in units of 1/10,000",
        Storage::Decimal { .. } => ", in units of its last digit",
        Storage::Duration => ", in microseconds",
        Storage::Uuid | Storage::Bool | Storage::Int | Storage::Currency | Storage::Text => "",
        Storage::Date | Storage::Time | Storage::Timestamp | Storage::Json => "",
    }
}

fn is_kept(key: &WantedKey, found: &FoundTable) -> bool {
    let same = |unique: &[String]| {
        unique.len() == key.columns.len() && unique.iter().all(|one| key.columns.contains(one))
    };
    let alone = |unique: &[String]| matches!(unique, [one] if Some(one) == key.or_alone.as_ref());
    found.uniques.iter().any(|unique| same(unique) || alone(unique))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn wanted(name: &str, nullable: bool) -> WantedColumn {
        WantedColumn {
            name: name.to_owned(),
            storage: Storage::Text,
            kind: "text".to_owned(),
            nullable,
            check: None,
            sorted: true,
            add: vec![format!("ADD {name}")],
            retype: Some(format!("RETYPE {name}")),
            renull: Some(format!("RENULL {name}")),
        }
    }

    fn found(name: &str) -> FoundColumn {
        FoundColumn { name: name.to_owned(), kind: "text".to_owned(), ..FoundColumn::default() }
    }

    fn demand() -> Demand {
        let key = |columns: &[&str], alone: Option<&str>| WantedKey {
            columns: columns.iter().map(|one| (*one).to_owned()).collect(),
            or_alone: alone.map(str::to_owned),
            add: format!("INDEX {}", columns.join("+")),
        };
        Demand {
            schema: "legacy".to_owned(),
            name: "orders".to_owned(),
            quoted: String::new(),
            make: vec!["MAKE".to_owned()],
            columns: vec![wanted("org", false), wanted("id", false), wanted("note", true)],
            keys: vec![key(&["org", "id"], Some("id")), key(&["org", "note"], None)],
            policy: Vec::new(),
        }
    }

    fn told(table: Option<&FoundTable>) -> String {
        let lacks = lacks(&demand(), table, |wanted, is| wanted.kind == is.kind);
        Unmet { place: "`here`".to_owned(), lacks }.to_string()
    }

    #[test]
    fn a_table_that_is_as_it_must_be_lacks_nothing() {
        let mut note = found("note");
        note.nullable = true;
        let uniques = [["id"].as_slice(), &["note", "org"]];
        let uniques = uniques.map(|all| all.iter().map(|one| (*one).to_owned()).collect()).to_vec();
        let mut more = found("more");
        more.optional = true;
        let columns = vec![found("org"), more, found("id"), note];
        let table = FoundTable { columns, uniques };
        assert_eq!(lacks(&demand(), Some(&table), |_, _| true), []);
    }

    #[test]
    fn all_that_a_table_lacks_is_told_at_once_with_its_cure() {
        let kind = "integer".to_owned();
        let table = FoundTable {
            columns: vec![
                FoundColumn { collation: Some("de-x-icu".to_owned()), ..found("org") },
                FoundColumn { kind, nullable: true, generated: true, ..found("id") },
                found("more"),
            ],
            uniques: vec![vec!["org".to_owned()]],
        };
        expect![[r#"
            `here` has tables of somebody else that can't be served as they are
              column `org` of `legacy.orders` sorts as `de-x-icu`, and pages go byte by byte (collation `C`)
              column `id` of `legacy.orders` is filled by the database, which takes no value for it
              column `id` of `legacy.orders` is `integer`, and `text` is needed
              column `id` of `legacy.orders` may be null, and the model does not say `optional`
              column `note` of `legacy.orders` is missing
              column `more` of `legacy.orders` is not of the model, takes no null and has no default: no row could be added; give it one
              `legacy.orders` has no unique index over `org`, `id`
              `legacy.orders` has no unique index over `org`, `note`
            whose they are may run this, Mainstay runs none of it (`no_ddl`):
              RETYPE org;
              RETYPE id;
              RENULL id;
              ADD note;
              INDEX org+id;
              INDEX org+note;"#]].assert_eq(&told(Some(&table)));
        expect![[r#"
            `here` has tables of somebody else that can't be served as they are
              table `legacy.orders` is missing
            whose they are may run this, Mainstay runs none of it (`no_ddl`):
              MAKE;"#]]
        .assert_eq(&told(None));
    }
}
