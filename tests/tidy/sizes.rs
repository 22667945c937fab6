//! How long files and functions may be, tests included.

use crate::source::{Source, Violation};
use syn::visit::Visit;

/// The most lines of a file.
const FILE_LINES_MAX: usize = 400;

/// The most lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Files that are one generated table of numbers.
const TABLES: [&str; 1] = ["src/protocol/constants.rs"];

/// Finds files and functions over the limits.
pub(crate) fn check(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > FILE_LINES_MAX && !TABLES.contains(&source.path.as_str()) {
            violations
                .push(source.violation(0, format!("{lines} lines, {FILE_LINES_MAX} at most")));
        }
        let file = syn::parse_file(&source.text).expect("it compiles");
        let mut functions = Functions { source, violations: &mut violations };
        functions.visit_file(&file);
    }
    violations
}

struct Functions<'a> {
    source: &'a Source,
    violations: &'a mut Vec<Violation>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let last = block.brace_token.span.close().end().line;
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            let what =
                format!("{} has {lines} lines, {FUNCTION_LINES_MAX} at most", signature.ident);
            self.violations.push(self.source.violation(first, what));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.measure(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.measure(&item.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats_in(path: &str, text: &str) -> Vec<String> {
        check(&[Source::new(path, text)]).into_iter().map(|v| v.what).collect()
    }

    fn whats(text: &str) -> Vec<String> {
        whats_in("src/chat/mod.rs", text)
    }

    fn function(lines: usize) -> String {
        format!("fn long() {{\n{}}}\n", "    f();\n".repeat(lines - 2))
    }

    #[test]
    fn a_long_function_is_found() {
        assert_eq!(whats(&function(70)), [""; 0]);
        assert_eq!(whats(&function(71)), ["long has 71 lines, 70 at most"]);
        let method = format!("impl X {{ {} }}", function(71));
        assert_eq!(whats(&method), ["long has 71 lines, 70 at most"]);
    }

    #[test]
    fn a_long_file_is_found_unless_it_is_a_table() {
        let long = "struct A;\n".repeat(401);
        assert_eq!(whats(&"struct A;\n".repeat(400)), [""; 0]);
        assert_eq!(whats(&long), ["401 lines, 400 at most"]);
        assert_eq!(whats_in(TABLES[0], &long), [""; 0]);
    }

    #[test]
    fn tests_count_like_all_else() {
        let tests = |what: &str| format!("#[cfg(test)]\nmod tests {{\n{what}}}\n");
        assert_eq!(whats(&tests(&"struct A;\n".repeat(398))), ["401 lines, 400 at most"]);
        assert_eq!(whats(&tests(&function(71))), ["long has 71 lines, 70 at most"]);
    }
}
