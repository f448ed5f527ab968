//! Backups hold what a store had, go into any other, and are refused where they are damaged.

use super::*;
use crate::adapters::archive::Archive;

#[test]
fn a_backup_holds_what_any_store_had_and_goes_into_any() {
    let Some(database) = Database::new() else { return };
    let from = directory(Layout::File);
    fill(&from);
    let folder = Place::new();
    let (all, one) = (folder.path().join("all"), folder.path().join("one"));
    let bluebird = Scope::Tenant(Arc::from("bluebird"));
    for (path, scope) in [(&all, &Scope::Whole), (&one, &bluebird)] {
        let source = from.transfer();
        let archive = Archive::create(path, source.sheets(), NOW);
        let proof = copy(&*source, &archive, scope, false, &|_| {}).expect("it is taken");
        let archive = Archive::open(path).expect("it is whole");
        prove(&proof, &sums(&archive, scope, &|_| {}).expect("it is read")).expect("equal");
    }
    let to = Data::Server(database, Layout::Row);
    let archive = Archive::open(&all).expect("it is whole");
    let proof = copy(&archive, &*to.transfer(), &Scope::Whole, false, &|_| {}).expect("it goes");
    prove(&proof, &to.sums(&Scope::Whole)).expect("the rows are equal");
    prove(&proof, &from.sums(&Scope::Whole)).expect("the rows are equal");
    let archive = Archive::open(&one).expect("it is whole");
    let again = copy(&archive, &*to.transfer(), &bluebird, false, &|_| {});
    assert!(matches!(again, Err(TransferError::NotEmpty(_))), "{again:?}");
    copy(&archive, &*to.transfer(), &bluebird, true, &|_| {}).expect("it is replaced");
    prove(&proof, &to.sums(&Scope::Whole)).expect("it is as it was");
}

#[test]
fn a_damaged_backup_and_one_of_other_tables_are_refused() {
    let from = directory(Layout::NoTenants);
    fill(&from);
    let folder = Place::new();
    let path = folder.path().join("all");
    let source = from.transfer();
    let archive = Archive::create(&path, source.sheets(), NOW);
    copy(&*source, &archive, &Scope::Whole, false, &|_| {}).expect("it is taken");
    let mut other = source.sheets().clone();
    other.all[0].columns[1].0.push('x');
    let elsewhere = Archive::create(&folder.path().join("other"), &other, NOW);
    let archive = Archive::open(&path).expect("it is whole");
    let refused = copy(&archive, &elsewhere, &Scope::Whole, false, &|_| {});
    assert!(matches!(refused, Err(TransferError::Differs(lines)) if lines.len() == 2));
    let file = path.join("lab_things.jsonl.zst");
    let mut bytes = std::fs::read(&file).expect("it is there");
    bytes[20] ^= 1;
    std::fs::write(&file, bytes).expect("writable");
    let refused = Archive::open(&path).err().map(|why| why.to_string()).unwrap_or_default();
    assert!(refused.contains("lab_things.jsonl.zst` is damaged"), "{refused}");
    std::fs::remove_file(path.join("manifest.json")).expect("it goes");
    let refused = Archive::open(&path).err().map(|why| why.to_string()).unwrap_or_default();
    assert!(refused.contains("not a whole backup"), "{refused}");
}
