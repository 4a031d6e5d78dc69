//! No public function that gives a future is without its note, or without the tests of it.

use std::collections::BTreeMap;

use crate::sources;

/// Callbacks: written by the user and called by the engine, which says there when it drops them. What the engine
/// does with one that it drops is shown in `tests/guarantees`.
const CALLBACKS: [&str; 2] = ["Handler::", "DynHandler::"];

#[test]
fn every_public_async_function_says_what_happens_when_it_is_dropped() {
    let functions = functions();
    assert!(functions.len() >= 25, "the sources are not found: {functions:?}");
    let silent: Vec<_> = functions
        .iter()
        .filter(|function| function.cancel_safety.is_none())
        .map(|function| &function.shown)
        .collect();
    assert!(silent.is_empty(), "without a section \"# Cancel safety\": {silent:?}");
}

/// A test belongs to the function with the longest name that its own begins with.
#[test]
fn every_public_async_function_has_a_test_that_cancels_it() {
    let functions = functions();
    let mut tests: BTreeMap<_, Vec<_>> =
        functions.iter().map(|function| (&*function.name, Vec::new())).collect();
    for test in sources::tests() {
        let of = |name: &&&str| test.strip_prefix(**name).is_some_and(|rest| rest.starts_with('_'));
        let owner = tests.keys().filter(of).max_by_key(|name| name.len()).copied();
        if let Some(tests) = owner.and_then(|owner| tests.get_mut(owner)) {
            tests.push(test);
        }
    }
    for function in &functions {
        let tests = &tests[&*function.name];
        println!("{}: {}", function.shown, function.cancel_safety.as_deref().unwrap_or_default());
        tests.iter().for_each(|test| println!("    {test}"));
    }
    let untested: Vec<_> =
        functions.iter().filter(|it| tests[&*it.name].is_empty()).map(|it| &it.shown).collect();
    assert!(untested.is_empty(), "no test cancels {untested:?}");
}

fn functions() -> Vec<sources::Function> {
    let mut functions = sources::functions();
    functions.retain(|it| !CALLBACKS.iter().any(|callbacks| it.shown.starts_with(callbacks)));
    functions
}
