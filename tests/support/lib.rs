//! What the tests of the whole share: where things are, and running the real programs.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the checkout").to_path_buf()
}

/// The folder of the built programs: the one that this test program was built into.
#[must_use]
pub fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let test_program = std::env::current_exe().unwrap();
        let folder = test_program.ancestors().find(|folder| folder.ends_with("deps")).and_then(Path::parent);
        let folder = folder.expect("test programs lie in target/<profile>/deps").to_path_buf();
        // Tests may be started without the programs having been built, or after a change.
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "local", "--package", "transform", "--bins"]);
        if folder.ends_with("release") {
            build.arg("--release");
        }
        build.arg("--target-dir").arg(folder.parent().unwrap()).current_dir(root());
        assert!(build.status().unwrap().success(), "the programs do not build");
        folder
    })
}

/// Runs `mapmill` with arguments and waits for its end.
#[must_use]
pub fn mapmill(arguments: &[&str]) -> Output {
    let output = Command::new(programs().join("mapmill")).args(arguments).current_dir(root()).output();
    output.unwrap_or_else(|error| panic!("mapmill cannot be started: {error}"))
}

/// Both outputs of a program as text, for messages.
#[must_use]
pub fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("exit {:?}\n--- stdout\n{}\n--- stderr\n{}", output.status.code(), text(&output.stdout), text(&output.stderr))
}
