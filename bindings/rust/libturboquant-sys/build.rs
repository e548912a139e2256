//! Finds libturboquant: the system's, by pkg-config, or with feature `vendored` the sources in `source/`, built by CMake.
//!
//! Tells dependent build scripts where the header lies: `DEP_TURBOQUANT_INCLUDE`.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=TQ_TARGET={}", env::var("TARGET").unwrap());
    if env::var_os("DOCS_RS").is_some() {
        // Documentation links nothing, and its machines have neither the library nor a network.
        println!("cargo:rustc-env=TQ_INCLUDE=");
        return;
    }
    let include = find_or_build();
    println!("cargo:include={include}");
    println!("cargo:rustc-env=TQ_INCLUDE={include}"); // for the layout test
}

#[cfg(not(feature = "vendored"))]
fn find_or_build() -> String {
    // While the major version is 0, another minor version is another ABI.
    let library =
        pkg_config::Config::new().range_version("0.1.0".."0.2.0").probe("libturboquant").unwrap_or_else(|error| {
            panic!(
            "{error}\n\nlibturboquant 0.1 is not installed where pkg-config looks. Set PKG_CONFIG_PATH to the folder \
             of libturboquant.pc, or use the feature `vendored`, which builds the library from source."
        )
        });
    // Folders that pkg-config leaves out are those where compilers look anyway.
    let header = |folder: &&std::path::PathBuf| folder.join("turboquant/turboquant.h").exists();
    library.include_paths.iter().find(header).map_or(String::new(), |folder| text(folder))
}

/// Where xsimd and nlohmann-json are, if not where compilers look: options of CMake, and environment variables here.
#[cfg(feature = "vendored")]
const HEADER_FOLDERS: [&str; 2] = ["TQ_XSIMD_INCLUDE_DIR", "TQ_JSON_INCLUDE_DIR"];

#[cfg(feature = "vendored")]
fn find_or_build() -> String {
    let source = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap()).join("source");
    assert!(
        source.join("CMakeLists.txt").exists(),
        "feature `vendored`: there are no sources in {}. They are links into the repository of libturboquant: use the \
         crate inside a clone, or as `cargo package` packs it; a copy needs `cp -rL`.",
        source.display()
    );
    for part in ["CMakeLists.txt", "cmake", "core", "capi"] {
        println!("cargo:rerun-if-changed={}", text(&source.join(part)));
    }
    for folder in HEADER_FOLDERS {
        println!("cargo:rerun-if-env-changed={folder}");
    }

    let mut build = cmake::Config::new(&source);
    build
        .profile("Release") // the kernels of a debug build would be useless
        .define("CMAKE_INSTALL_LIBDIR", "lib")
        .define("TQ_BUILD_SHARED", "OFF")
        .define("TQ_BUILD_STATIC", "ON")
        .define("TQ_BUILD_TESTS", "OFF")
        .define("TQ_BUILD_EXAMPLES", "OFF")
        .define("TQ_BUILD_BENCH", "OFF")
        .define("TQ_INSTALL", "ON")
        .define("TQ_USE_SYSTEM_DEPS", "ON"); // a build script downloads nothing
    for name in HEADER_FOLDERS {
        if let Ok(folder) = env::var(name) {
            build.define(name, folder);
        }
    }
    let installed = build.build();
    link_like(&installed.join("lib/pkgconfig/libturboquant.pc"));
    println!("cargo:rustc-link-search=native={}", text(&installed.join("lib")));
    text(&installed.join("include"))
}

/// Links what the installed .pc file names: the library, and the C++ runtime of the compiler that built it.
#[cfg(feature = "vendored")]
fn link_like(package: &Path) {
    let content = std::fs::read_to_string(package).unwrap_or_else(|error| panic!("{}: {error}", package.display()));
    let libraries = content.lines().find_map(|line| line.strip_prefix("Libs:")).expect("libturboquant.pc has Libs");
    for library in libraries.split_whitespace().filter_map(|word| word.strip_prefix("-l")) {
        let kind = if library == "turboquant" { "static" } else { "dylib" };
        println!("cargo:rustc-link-lib={kind}={library}");
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap_or_else(|| panic!("{} is not valid UTF-8", path.display())).to_owned()
}
