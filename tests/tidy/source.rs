//! A source file as the rules see it: its text, and its code as a flat list of tokens without what
//! is compiled for tests only.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use std::fmt;
use std::path::Path;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The file, relative to the project.
    pub path: String,
    /// The line, 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// One token. Groups are flattened to their brackets; `::` is one token.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// As written.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
    /// How many inline modules enclose it.
    pub inline_mods: usize,
}

/// One file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the project, with `/`: `src/chat/send.rs`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// Its code; empty if the file as a whole is compiled for tests only.
    pub tokens: Vec<Token>,
    /// Child modules that it declares, and whether for tests only.
    pub children: Vec<(String, bool)>,
}

impl Source {
    /// A source from memory.
    ///
    /// # Panics
    /// If it does not parse.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let stream: TokenStream =
            text.parse().unwrap_or_else(|error| panic!("{path} does not parse: {error}"));
        let mut flattened = Flattened::default();
        flattened.walk(stream, false, 0);
        let Flattened { tokens, children } = flattened;
        Self { path: path.into(), text: text.into(), tokens, children }
    }

    /// Every Rust file below a folder of the project, in the order of their paths. An absent folder
    /// has none. What only tests reach is marked as such.
    pub(crate) fn load(folder: &str) -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = Vec::new();
        collect(&root.join(folder), &mut paths);
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let relative = path.strip_prefix(root).expect("below the root");
            let text = std::fs::read_to_string(path).expect("readable UTF-8");
            Self::new(&relative.to_string_lossy().replace('\\', "/"), &text)
        };
        let mut sources: Vec<Self> = paths.iter().map(read).collect();
        mark_test_files(&mut sources);
        sources
    }

    /// The names of the modules around this file: none for the crate root, `["chat", "send"]` for
    /// `src/chat/send.rs`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let inner = self.path.split_once('/').map_or("", |(_, rest)| rest);
        let mut module: Vec<&str> = inner.trim_end_matches(".rs").split('/').collect();
        if matches!(module.last(), Some(&("mod" | "lib" | "main"))) {
            module.pop();
        }
        module
    }

    /// A violation at a line of this file.
    pub(crate) fn violation(&self, line: usize, what: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, what: what.into() }
    }

    /// Whether the tokens from `at` on read as given.
    pub(crate) fn reads(&self, at: usize, texts: &[&str]) -> bool {
        let tokens = self.tokens.get(at..at + texts.len());
        tokens.is_some_and(|tokens| tokens.iter().zip(texts).all(|(t, text)| t.text == **text))
    }
}

/// Takes the code out of every file that is reached through a module for tests only.
fn mark_test_files(sources: &mut [Source]) {
    let mut test_modules: Vec<Vec<String>> = Vec::new();
    for source in sources.iter() {
        let module: Vec<String> = source.module().iter().map(ToString::to_string).collect();
        for (child, _) in source.children.iter().filter(|(_, for_tests)| *for_tests) {
            let mut path = module.clone();
            path.push(child.clone());
            test_modules.push(path);
        }
    }
    for source in sources {
        let module: Vec<String> = source.module().iter().map(ToString::to_string).collect();
        if test_modules.iter().any(|test| module.starts_with(test)) {
            source.tokens.clear();
        }
    }
}

fn collect(folder: &Path, paths: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

#[derive(Default)]
struct Flattened {
    tokens: Vec<Token>,
    children: Vec<(String, bool)>,
}

impl Flattened {
    fn walk(&mut self, stream: TokenStream, for_tests: bool, inline_mods: usize) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        // Set from `#[cfg(test)]` to the end of the item it stands on.
        let mut item_for_tests = false;
        for (index, tree) in trees.iter().enumerate() {
            let previous = |back: usize| index.checked_sub(back).and_then(|i| trees.get(i));
            if is_word(previous(1), "mod")
                && is_semicolon(trees.get(index + 1))
                && let TokenTree::Ident(name) = tree
            {
                self.children.push((name.to_string(), for_tests || item_for_tests));
            }
            if is_test_attribute(previous(1), tree) {
                item_for_tests = true;
            }
            let is_test = for_tests || item_for_tests;
            match tree {
                TokenTree::Group(group) => {
                    let is_mod =
                        group.delimiter() == Delimiter::Brace && is_word(previous(2), "mod");
                    let depth = inline_mods + usize::from(is_mod);
                    let (open, close) = brackets(group.delimiter());
                    self.push(open, group.span_open(), is_test, depth);
                    self.walk(group.stream(), is_test, depth);
                    self.push(close, group.span_close(), is_test, depth);
                    if group.delimiter() == Delimiter::Brace {
                        item_for_tests = false;
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    let second = previous(1).is_some_and(is_first_colon);
                    if !second {
                        let joint = punct.spacing() == Spacing::Joint;
                        self.push(
                            if joint { "::" } else { ":" },
                            punct.span(),
                            is_test,
                            inline_mods,
                        );
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {
                    self.push(&tree.to_string(), tree.span(), is_test, inline_mods);
                    if is_semicolon(Some(tree)) {
                        item_for_tests = false;
                    }
                }
            }
        }
    }

    fn push(&mut self, text: &str, span: proc_macro2::Span, is_test: bool, inline_mods: usize) {
        if !is_test && !text.is_empty() {
            self.tokens.push(Token { text: text.into(), line: span.start().line, inline_mods });
        }
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::None => ("", ""),
    }
}

fn is_word(tree: Option<&TokenTree>, word: &str) -> bool {
    matches!(tree, Some(TokenTree::Ident(ident)) if ident == word)
}

fn is_semicolon(tree: Option<&TokenTree>) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == ';')
}

fn is_first_colon(tree: &TokenTree) -> bool {
    matches!(tree, TokenTree::Punct(p) if p.as_char() == ':' && p.spacing() == Spacing::Joint)
}

/// `#[cfg(test)]` and `#[cfg(any(test, ..))]`, not `#[cfg(not(test))]`.
fn is_test_attribute(hash: Option<&TokenTree>, tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else { return false };
    let is_attribute = matches!(hash, Some(TokenTree::Punct(punct)) if punct.as_char() == '#');
    let text = group.stream().to_string();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    is_attribute
        && words.first() == Some(&"cfg")
        && words.contains(&"test")
        && !words.contains(&"not")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let source = Source::new("src/a/b.rs", text);
        source.tokens.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn code_for_tests_is_left_out_up_to_the_end_of_its_item() {
        assert_eq!(words("use a::b;\n#[cfg(test)]\nuse c::d;\nuse e;"), "use a :: b ; # use e ;");
        assert_eq!(words("#[cfg(test)]\nmod tests { use x; }\nfn f() {}"), "# fn f ( ) { }");
        assert_eq!(words("#[cfg(not(test))] use x;"), "# [ cfg ( not ( test ) ) ] use x ;");
    }

    #[test]
    fn a_file_declared_for_tests_has_no_code() {
        let mut sources = vec![
            Source::new("src/a/mod.rs", "#[cfg(test)]\nmod faulty;\nmod real;"),
            Source::new("src/a/faulty.rs", "use x;"),
            Source::new("src/a/real.rs", "use x;"),
        ];
        mark_test_files(&mut sources);
        assert!(sources[1].tokens.is_empty());
        assert!(!sources[2].tokens.is_empty());
    }

    #[test]
    fn a_path_names_its_module() {
        assert!(Source::new("src/lib.rs", "").module().is_empty());
        assert_eq!(Source::new("src/chat/mod.rs", "").module(), ["chat"]);
        assert_eq!(Source::new("src/chat/send.rs", "").module(), ["chat", "send"]);
    }
}
