//! What the sources of the crates and of their tests hold: read, not run.

use std::fs;
use std::path::{Path, PathBuf};

use syn::{
    Attribute, Expr, GenericArgument, ImplItem, Item, ItemTrait, Lit, Meta, PathArguments,
    ReturnType, Signature, TraitItem, Type, TypeParamBound, Visibility,
};

/// A public function that gives a future.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function {
    /// What the names of its tests begin with: `engine_send` for `Engine::send`.
    pub(crate) name: String,
    pub(crate) shown: String,
    /// The section of its documentation, if it has it.
    pub(crate) cancel_safety: Option<String>,
}

/// The public functions that give a future, of all crates that are published.
pub(crate) fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    for package in packages() {
        for file in files(&package.join("src")) {
            collect(parse(&file).items, &mut functions);
        }
    }
    functions.sort();
    functions
}

/// The names of all tests of cancelling: those in files, or in folders, whose name begins with `cancel`.
pub(crate) fn tests() -> Vec<String> {
    let mut names = Vec::new();
    for package in packages() {
        let tests = package.join("tests");
        let of_cancelling = |file: &PathBuf| {
            let inside = file.strip_prefix(&tests).unwrap();
            inside.iter().any(|part| part.to_string_lossy().starts_with("cancel"))
        };
        for file in files(&tests).into_iter().filter(of_cancelling) {
            names.extend(parse(&file).items.into_iter().filter_map(|item| match item {
                Item::Fn(function) if is_test(&function.attrs) => {
                    Some(function.sig.ident.to_string())
                }
                _ => None,
            }));
        }
    }
    names
}

/// The folders of the engine, the adapters and the rooms.
fn packages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut packages = vec![root.join("wscengine")];
    for group in ["adapters", "rooms"] {
        packages.extend(entries(&root.join(group)));
    }
    packages.retain(|package| package.join("Cargo.toml").is_file());
    packages
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(folder) {
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn parse(file: &Path) -> syn::File {
    let text = fs::read_to_string(file).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

const CANCEL_SAFETY: &str = "# Cancel safety";

fn collect(items: Vec<Item>, into: &mut Vec<Function>) {
    for item in items {
        match item {
            Item::Fn(function) if is_public(&function.vis) => {
                into.extend(of("", &function.attrs, &function.sig));
            }
            Item::Impl(block) if block.trait_.is_none() => {
                let owner = last_name(&block.self_ty).unwrap_or_default();
                for item in block.items {
                    match item {
                        ImplItem::Fn(method) if is_public(&method.vis) => {
                            into.extend(of(&owner, &method.attrs, &method.sig));
                        }
                        _ => {}
                    }
                }
            }
            Item::Trait(item) if is_public(&item.vis) => collect_methods(item, into),
            Item::Mod(module) if !is_of_tests(&module.attrs) => {
                collect(module.content.map(|(_, items)| items).unwrap_or_default(), into);
            }
            _ => {}
        }
    }
}

fn collect_methods(item: ItemTrait, into: &mut Vec<Function>) {
    let owner = item.ident.to_string();
    // Where a trait has one method, the note may stand above all.
    let of_all = section(&docs(&item.attrs), CANCEL_SAFETY);
    for item in item.items {
        if let TraitItem::Fn(method) = item {
            into.extend(of(&owner, &method.attrs, &method.sig).map(|function| Function {
                cancel_safety: function.cancel_safety.or_else(|| of_all.clone()),
                ..function
            }));
        }
    }
}

fn of(owner: &str, attributes: &[Attribute], signature: &Signature) -> Option<Function> {
    let gives_future = match &signature.output {
        ReturnType::Default => false,
        ReturnType::Type(_, output) => is_future(output),
    };
    if signature.asyncness.is_none() && !gives_future {
        return None;
    }
    let name = signature.ident.to_string();
    let (name, shown) = match owner {
        "" => (name.clone(), name),
        owner => (format!("{}_{name}", snake(owner)), format!("{owner}::{name}")),
    };
    Some(Function { name, shown, cancel_safety: section(&docs(attributes), CANCEL_SAFETY) })
}

/// Whether a type is a future by its name, or inside a `Pin` or a `Box`.
fn is_future(of: &Type) -> bool {
    let bounds = match of {
        Type::ImplTrait(of) => &of.bounds,
        Type::TraitObject(of) => &of.bounds,
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return false };
            return last.ident.to_string().ends_with("Future")
                || match &last.arguments {
                    PathArguments::AngleBracketed(arguments) => {
                        ["Pin", "Box"].contains(&&*last.ident.to_string())
                            && arguments
                                .args
                                .iter()
                                .any(|it| matches!(it, GenericArgument::Type(of) if is_future(of)))
                    }
                    _ => false,
                };
        }
        _ => return false,
    };
    bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|last| last.ident == "Future")
        }
        _ => false,
    })
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| it.path().segments.last().is_some_and(|last| last.ident == "test"))
}

/// Whether it is compiled for tests only.
fn is_of_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|it| match &it.meta {
        Meta::List(list) => it.path().is_ident("cfg") && list.tokens.to_string().trim() == "test",
        _ => false,
    })
}

fn last_name(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    }
}

fn docs(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let Expr::Lit(value) = &pair.value
            && let Lit::Str(line) = &value.lit
        {
            text += line.value().trim();
            text += "\n";
        }
    }
    text
}

/// What stands under a heading.
fn section(docs: &str, heading: &str) -> Option<String> {
    let (_, rest) = docs.split_once(&format!("{heading}\n"))?;
    let text = rest.split("\n# ").next().unwrap_or(rest).trim();
    (!text.is_empty()).then(|| text.replace('\n', " "))
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}
