//! The way back to a former model, from wherever the way to the next one ended: another migration,
//! on which renames are turned round. What came with the next model and holds values stays, as
//! what no model has.

use ir::schema::{Schema, Table};

/// The former schema, where it knows by what names the next one goes on.
pub fn turned_round(former: &Schema, next: &Schema) -> Schema {
    let mut schema = former.clone();
    for to in &next.tables {
        let known = |name: &(String, String)| {
            let named = |table: &Table| (&table.context, &table.name) == (&name.0, &name.1);
            former.tables.iter().position(named)
        };
        let name = (to.context.clone(), to.name.clone());
        let at = known(&name).or_else(|| known(to.was.as_ref()?));
        let Some(table) = at.map(|at| &mut schema.tables[at]) else { continue };
        if (&table.context, &table.name) != (&name.0, &name.1) {
            table.was = Some(name);
        }
        for column in &to.columns {
            let Some(was) = &column.was else { continue };
            for from in table.columns.iter_mut().filter(|from| from.name == *was) {
                from.was = Some(column.name.clone());
            }
        }
    }
    schema
}
