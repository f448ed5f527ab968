//! The skin of the command line: arguments in, one verb called, its answer printed.

use crate::arguments::events::{Events, Views};
use crate::arguments::{Arguments, Explain, Export, Verb, audit::Audit, keys::Key};
use crate::commands;
use crate::failure::Outcome;
use crate::render::{self, Answer};
use clap::Parser;
use std::process::ExitCode;

/// Runs the process.
pub(crate) fn run() -> ExitCode {
    let answer = match Arguments::try_parse() {
        Ok(arguments) => call(arguments.verb).unwrap_or_else(|failure| render::failure(&failure)),
        Err(usage) => render::usage(&usage),
    };
    ExitCode::from(answer as u8)
}

fn call(verb: Verb) -> Outcome<Answer> {
    Ok(match verb {
        Verb::Check(args) => {
            let (path, env) = (&args.model.path, args.model.env.as_deref());
            let report = commands::check::check(path, env, &args.breaking.events)?;
            render::check(&report, args.output.format)
        }
        Verb::Design(args) => {
            let model = commands::design::Named {
                path: &args.model.path,
                environment: args.model.env.as_deref(),
                breaking: &args.breaking.events,
            };
            let written = commands::design::design(
                model,
                args.prices.as_deref(),
                args.out.as_deref(),
                match (args.check, args.force) {
                    (true, _) => commands::design::Mode::Check,
                    (false, true) => commands::design::Mode::Force,
                    (false, false) => commands::design::Mode::Write,
                },
            )?;
            render::design(&written, args.check, args.output.format)
        }
        Verb::Explain(args) => explain(&args)?,
        Verb::Fmt(args) if args.stdin => render::text(&commands::fmt::fmt_stdin()?),
        Verb::Fmt(args) => render::fmt(&commands::fmt::fmt(&args.paths, args.check)?, args.check),
        Verb::Up(args) => {
            commands::up::up(&args, &mut render::announce)?;
            Answer::Fine
        }
        Verb::Token(args) => render::token(&commands::token::token(&args)?, args.output.format),
        Verb::Key(verb) => key(verb)?,
        Verb::Audit(Audit::Verify(args)) => {
            render::audit_verified(&commands::audit::verify(&args)?, args.output.format)
        }
        Verb::Events(args) => events(&args)?,
        Verb::DeadLetters(verb) => {
            render::dead_letters(&commands::dead_letters::dead_letters(&verb)?, verb.format())
        }
        Verb::Views(verb) => views(&verb)?,
        Verb::Migrate(verb) => {
            let migrated = commands::migrate::migrate(&verb, &render::progress)?;
            render::migrated(&migrated, verb.format())
        }
        Verb::Backup(args) => {
            let done = commands::backup::backup(&args, &render::rows_so_far)?;
            render::copied(&done, args.output.format)
        }
        Verb::Restore(args) => {
            let done = commands::backup::restore(&args, &render::rows_so_far)?;
            render::copied(&done, args.output.format)
        }
        Verb::Tenant(verb) => {
            let answered = commands::tenant::tenant(&verb, &render::rows_so_far)?;
            render::tenant(&answered, verb.format())
        }
        Verb::Erase(args) => {
            let erased = commands::erase::erase(&args)?;
            render::erased(&erased, args.place.output.format)
        }
        Verb::Move(args) => {
            let moved = commands::moving::moving(&args, &render::MOVING)?;
            render::moved(&moved, args.output.format)
        }
        Verb::Export(args) => export(&args)?,
    })
}

fn explain(args: &Explain) -> Outcome<Answer> {
    let explanation = commands::explain::explain(args.what.as_deref(), &args.path)?;
    Ok(render::explain(&explanation, args.output.format))
}

fn events(args: &Events) -> Outcome<Answer> {
    let format = args.place.output.format;
    commands::events::events(args, &|event| render::event(event, format))?;
    Ok(Answer::Fine)
}

fn views(verb: &Views) -> Outcome<Answer> {
    let answered = commands::views::views(verb, &render::view_so_far())?;
    Ok(render::views(&answered, verb.format()))
}

fn export(args: &Export) -> Outcome<Answer> {
    let (path, env) = (&args.model.path, args.model.env.as_deref());
    Ok(render::text(&commands::export::export(args.format, path, env)?))
}

fn key(verb: Key) -> Outcome<Answer> {
    Ok(match verb {
        Key::Create(args) => {
            render::key_created(&commands::key::create(&args)?, args.output.format)
        }
        Key::List(args) => render::key_list(&commands::key::list(&args)?, args.output.format),
        Key::Revoke(args) => {
            commands::key::revoke(&args)?;
            render::key_revoked(&args.prefix, args.output.format)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    /// Every flag with a value, and every flag of `up`, has its variable.
    #[test]
    fn flags_have_variables_of_their_name() {
        fn look(command: &clap::Command, lost: &mut Vec<String>) {
            for flag in command.get_arguments().filter(|argument| argument.get_long().is_some()) {
                let takes = flag.get_action().takes_values() || command.get_name() == "up";
                let own = ["help", "version"].contains(&flag.get_id().as_str());
                let variable = flag.get_env().and_then(|name| name.to_str()).unwrap_or_default();
                if takes && !own && !variable.starts_with("MAINSTAY_") {
                    lost.push(format!("{} --{}", command.get_name(), flag.get_id()));
                }
            }
            for inner in command.get_subcommands() {
                look(inner, lost);
            }
        }
        let mut lost = Vec::new();
        look(&Arguments::command(), &mut lost);
        assert_eq!(lost, Vec::<String>::new());
    }
}
