//! A document in another language has the same commands, names and links as the English one.
#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use tests::root;

/// English documents with their translations.
const TRANSLATED: [(&str, &str); 2] =
    [("README.md", "README.zh-CN.md"), ("docs/tutorial.md", "docs/zh-CN/tutorial.md")];

/// What must be the same in every language.
#[derive(Debug, PartialEq)]
struct Shared {
    /// Blocks of commands, jobs and output, in their order.
    blocks: Vec<String>,
    /// Commands, options and names within the text.
    spans: BTreeSet<String>,
    /// Files and pages that are pointed to.
    links: BTreeSet<String>,
    /// Headings, tables and points of lists, by their marks.
    shape: Vec<&'static str>,
}

impl Shared {
    fn of(path: &str, text: &str) -> Self {
        let folder = Path::new(path).parent().unwrap();
        let (mut blocks, mut prose) = (Vec::new(), String::new());
        for (number, part) in text.split("```").enumerate() {
            if number % 2 == 1 { blocks.push(part.to_owned()) } else { prose.push_str(part) }
        }
        let words = |span: &str| span.split_whitespace().collect::<Vec<_>>().join(" ");
        let spans = prose.split('`').skip(1).step_by(2).map(words).collect();
        let targets = prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
        let links = targets.map(|target| canonical(folder, target)).collect();
        let mark = |line: &str| ["## ", "# ", "* ", "| "].into_iter().find(|mark| line.starts_with(mark));
        let shape = prose.lines().filter_map(mark).collect();
        Self { blocks, spans, links, shape }
    }
}

/// A link as a path from the root, the same for every language.
fn canonical(folder: &Path, target: &str) -> String {
    if target.contains("://") {
        return target.to_owned();
    }
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{target} leads out of the repository"),
            part => path.push(part),
        }
    }
    path.to_str().unwrap().replace("/zh-CN/", "/").replace(".zh-CN", "")
}

#[test]
fn translations_have_the_commands_names_and_links_of_the_original() {
    for (original, translation) in TRANSLATED {
        let read = |path: &str| Shared::of(path, &std::fs::read_to_string(root().join(path)).unwrap());
        let (original, found) = (read(original), read(translation));
        for (one, other, what) in
            [(&original.spans, &found.spans, "is missing in"), (&found.spans, &original.spans, "is only in")]
        {
            let difference: Vec<_> = one.difference(other).collect();
            assert!(difference.is_empty(), "{difference:?} {what} {translation}");
        }
        assert_eq!(original, found, "{translation}");
    }
}

#[test]
fn a_difference_is_found() {
    let text = "# A\n\nRun `make run  --x` ([docs](docs/a.md)).\n\n```\nmake run\n```\n";
    let shared = Shared::of("README.md", text);
    assert_eq!(shared, Shared::of("docs/zh-CN/a.md", &text.replace("docs/a.md", "../a.md")));
    for (from, to) in [("--x", "--y"), ("docs/a.md", "docs/b.md"), ("make run\n", "make test\n"), ("# A", "A")] {
        assert_ne!(shared, Shared::of("README.md", &text.replace(from, to)), "{from} to {to}");
    }
}

#[test]
fn all_translations_are_held_against_an_original() {
    let listed: BTreeSet<String> = TRANSLATED.iter().map(|(_, translation)| (*translation).to_owned()).collect();
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(root().join(folder)).unwrap();
        entries.map(|entry| format!("{folder}{}", entry.unwrap().file_name().to_str().unwrap())).collect()
    };
    let of_root = names("").into_iter().filter(|name| name.contains(".zh-CN."));
    assert_eq!(of_root.chain(names("docs/zh-CN/")).collect::<BTreeSet<_>>(), listed);
}
