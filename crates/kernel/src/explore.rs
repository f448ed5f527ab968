//! Every state that a small world can come to, breadth first, so that the first one that is wrong
//! is reached by the shortest story.

use std::collections::BTreeMap;
use std::rc::Rc;

/// A world of machines and what is durable around them.
pub(crate) trait World: Clone + Ord {
    /// Everything that may happen next, each with a sentence that tells it.
    fn next(&self) -> Vec<(String, Self)>;

    /// What is wrong here, if anything.
    fn wrong(&self) -> Option<String>;

    /// It is where it was meant to get: each state has to be able to come to such a one.
    fn is_end(&self) -> bool;
}

/// What was found where nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Explored {
    /// Different states.
    pub(crate) states: usize,
    /// Those among them that are ends.
    pub(crate) ends: usize,
}

/// Visits every state.
///
/// # Errors
/// A story, step by step, of the first state that is wrong, that can come to no end any more, or
/// that is one too many.
pub(crate) fn explore<W: World>(world: W, states_max: usize) -> Result<Explored, String> {
    let mut seen: BTreeMap<Rc<W>, usize> = BTreeMap::new();
    let mut states: Vec<(Rc<W>, usize)> = Vec::new();
    let mut before: Vec<Vec<usize>> = Vec::new();
    let first = Rc::new(world);
    seen.insert(Rc::clone(&first), 0);
    states.push((first, 0));
    before.push(Vec::new());
    let mut at = 0;
    while at < states.len() {
        let state = Rc::clone(&states[at].0);
        if let Some(wrong) = state.wrong() {
            return Err(story(&states, at, &wrong));
        }
        if states.len() > states_max {
            return Err(story(&states, at, "there are more states than allowed"));
        }
        for (_, next) in state.next() {
            let next = Rc::new(next);
            let number = *seen.entry(Rc::clone(&next)).or_insert(states.len());
            if number == states.len() {
                states.push((next, at));
                before.push(Vec::new());
            }
            before[number].push(at);
        }
        at += 1;
    }
    let mut finishes = vec![false; states.len()];
    let mut open: Vec<usize> = (0..states.len()).filter(|at| states[*at].0.is_end()).collect();
    let ends = open.len();
    while let Some(at) = open.pop() {
        if !std::mem::replace(&mut finishes[at], true) {
            open.extend(&before[at]);
        }
    }
    match finishes.iter().position(|finishes| !finishes) {
        Some(stuck) => Err(story(&states, stuck, "from here it can never finish")),
        None => Ok(Explored { states: states.len(), ends }),
    }
}

fn story<W: World>(states: &[(Rc<W>, usize)], mut at: usize, end: &str) -> String {
    let mut steps = vec![end.to_owned()];
    while at > 0 {
        let parent = states[at].1;
        let next = states[parent].0.next();
        let step = next.into_iter().find(|(_, world)| *world == *states[at].0);
        steps.push(step.map_or_else(String::new, |(step, _)| step));
        at = parent;
    }
    steps.reverse();
    let lines = steps.iter().enumerate().map(|(at, step)| format!("{}. {step}\n", at + 1));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two who add one to a number that they read before.
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct Adders {
        number: u8,
        read: [Option<u8>; 2],
        done: [bool; 2],
        exact: bool,
    }

    impl World for Adders {
        fn next(&self) -> Vec<(String, Self)> {
            let mut all = Vec::new();
            for who in 0..2 {
                let mut next = self.clone();
                match (self.read[who], self.done[who]) {
                    (None, _) => {
                        next.read[who] = Some(self.number);
                        all.push((format!("{who} reads {}", self.number), next));
                    }
                    (Some(read), false) => {
                        next.number = read + 1;
                        next.done[who] = true;
                        all.push((format!("{who} writes {}", read + 1), next));
                    }
                    (Some(_), true) => {}
                }
            }
            all
        }

        fn wrong(&self) -> Option<String> {
            let lost = self.exact && self.done == [true, true] && self.number != 2;
            lost.then(|| "an addition is lost".to_owned())
        }

        fn is_end(&self) -> bool {
            self.number == 2
        }
    }

    #[test]
    fn the_shortest_story_is_told() {
        let adders = Adders { number: 0, read: [None; 2], done: [false; 2], exact: true };
        let story = "1. 0 reads 0\n2. 1 reads 0\n3. 0 writes 1\n4. 1 writes 1\n\
                     5. an addition is lost\n";
        assert_eq!(explore(adders.clone(), 100), Err(story.to_owned()));
        let story = explore(Adders { exact: false, ..adders }, 100).unwrap_err();
        assert!(story.ends_with("from here it can never finish\n"), "{story}");
    }
}
