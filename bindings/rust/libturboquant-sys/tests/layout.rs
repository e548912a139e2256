//! The bindings against the C header: sizes, offsets and numbers, as the C compiler sees them.
//!
//! What is compared is read out of bindings.rs itself, so nothing can be forgotten. The header may be a newer one of the
//! same ABI: structs may have grown at their end, never moved.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use libturboquant_sys as sys;

const BINDINGS: &str = include_str!("../src/bindings.rs");

/// Name, size and field offsets of every struct, as Rust lays them out.
macro_rules! layouts {
    ($($name:ident { $($field:ident),* })*) => {
        BTreeMap::from([$((stringify!($name), (
            size_of::<sys::$name>(),
            vec![$((stringify!($field), std::mem::offset_of!(sys::$name, $field))),*],
        ))),*])
    };
}

type Layout = (usize, Vec<(&'static str, usize)>);

fn rust_layouts() -> BTreeMap<&'static str, Layout> {
    include!("fields.in") // made by generate.sh
}

/// Structs and fields that bindings.rs declares; opaque handles have only `_unused`.
fn declared_structs() -> BTreeMap<String, Vec<String>> {
    let mut structs = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in BINDINGS.lines() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            current = rest.split_whitespace().next().map(str::to_owned);
        } else if line == "}" {
            current = None;
        } else if let (Some(name), Some((field, _))) =
            (&current, line.strip_prefix("    pub ").and_then(|rest| rest.split_once(':')))
        {
            structs.entry(name.clone()).or_insert_with(Vec::new).push(field.to_owned());
        }
    }
    structs
}

/// (name, value) of every constant in bindings.rs, as Rust source.
fn declared_constants() -> Vec<(&'static str, f64)> {
    let constant = |line: &'static str| {
        let (name, rest) = line.strip_prefix("pub const ")?.split_once(": ")?;
        let value = rest.split_once(" = ")?.1.trim_end_matches(';');
        Some((name, value.parse().unwrap_or_else(|_| panic!("{name}: {value} is not a number"))))
    };
    BINDINGS.lines().filter_map(constant).collect()
}

/// Compiles and runs a C program that includes the header the crate was built with; returns what it prints.
fn run_c(name: &str, body: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (source, program) = (folder.join(format!("{name}.c")), folder.join(name));
    let text = format!(
        "#include <stddef.h>\n#include <stdio.h>\n#include <turboquant/turboquant.h>\nint main(void) {{\n{body}}}\n"
    );
    std::fs::write(&source, text).unwrap();
    let compiler = cc::Build::new()
        .target(env!("TQ_TARGET"))
        .host(env!("TQ_TARGET"))
        .opt_level(0)
        .cargo_metadata(false)
        .cargo_warnings(false)
        .get_compiler();
    let mut command: Command = compiler.to_command();
    if !env!("TQ_INCLUDE").is_empty() {
        command.arg("-I").arg(env!("TQ_INCLUDE"));
    }
    let compiled = command.arg("-o").arg(&program).arg(&source).output().expect("a C compiler runs");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_declared_field_is_compared() {
    let compared: BTreeMap<String, Vec<String>> = rust_layouts()
        .into_iter()
        .map(|(name, (_, fields))| (name.to_owned(), fields.iter().map(|(field, _)| (*field).to_owned()).collect()))
        .collect();
    assert_eq!(compared, declared_structs());
}

#[test]
fn structs_lie_in_memory_as_in_c() {
    let layouts = rust_layouts();
    let mut body = String::new();
    for (name, (_, fields)) in &layouts {
        writeln!(body, "printf(\"{name} %zu\", sizeof({name}));").unwrap();
        for (field, _) in fields {
            writeln!(body, "printf(\" %zu %zu\", offsetof({name}, {field}), sizeof((({name}*)0)->{field}));").unwrap();
        }
        body += "puts(\"\");\n";
    }
    let printed = run_c("structs", &body);
    assert_eq!(printed.lines().count(), layouts.len());
    for line in printed.lines() {
        let mut words = line.split(' ');
        let name = words.next().unwrap();
        let mut numbers = words.map(|word| word.parse::<usize>().unwrap());
        let (rust_size, fields) = &layouts[name];
        let c_size = numbers.next().unwrap();
        assert!(c_size >= *rust_size, "{name} has {c_size} bytes in C and {rust_size} in Rust");
        let ends = fields.iter().skip(1).map(|(_, offset)| *offset).chain([*rust_size]);
        for ((field, offset), end) in fields.iter().zip(ends) {
            assert_eq!(numbers.next().unwrap(), *offset, "offset of {name}.{field}");
            // There is no padding in these structs, so a field ends where the next begins.
            assert_eq!(numbers.next().unwrap(), end - offset, "size of {name}.{field}");
        }
    }
}

#[test]
fn constants_have_the_values_of_c() {
    let constants = declared_constants();
    assert!(constants.len() > 20, "{}", constants.len());
    let mut body = String::new();
    for (name, _) in &constants {
        writeln!(body, "printf(\"{name} %.17g\\n\", (double)({name}));").unwrap();
    }
    let printed = run_c("constants", &body);
    for ((name, value), line) in constants.iter().zip(printed.lines()) {
        let (c_name, c_value) = line.split_once(' ').unwrap();
        assert_eq!((c_name, c_value.parse::<f64>().unwrap()), (*name, *value));
    }
    assert_eq!(printed.lines().count(), constants.len());
}

/// Inside the repository: every exported function is declared, and nothing else.
#[test]
fn functions_are_those_of_the_library() {
    let listed = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("source/capi/symbols.txt");
    let Ok(symbols) = std::fs::read_to_string(&listed) else {
        println!("skipped: {} is not here", listed.display());
        return;
    };
    let declared: Vec<&str> = BINDINGS
        .lines()
        .filter_map(|line| line.strip_prefix("    pub fn "))
        .map(|rest| rest.split('(').next().unwrap())
        .collect();
    let mut sorted = declared.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, symbols.lines().collect::<Vec<_>>());
}
