//! Profiles: what each file says of every layer, or how it is refused.

use std::path::Path;

use libturboquant::{Cache, Error, LayerOptions, MAX_PROFILE_BYTES, Profile, status_name};
use serde_json::Value;

use crate::data::{self, text};

/// The options have no other way to show what they are.
fn shown(layers: &[LayerOptions]) -> Vec<String> {
    layers.iter().map(|layer| format!("{layer:?}")).collect()
}

fn expect_content(case: &Value, profile: &Profile) {
    let name = text(case, "name");
    assert_eq!(profile.name(), text(case, "model_name"), "{name}");
    assert_eq!(profile.fingerprint(), text(case, "model_fingerprint"), "{name}");
    let layers: Vec<_> = case["layers"].as_array().unwrap().iter().map(data::layer).collect();
    assert_eq!(shown(profile.layers()), shown(&layers), "{name}");
    let cache = Cache::new(&profile.cache_options()).unwrap();
    assert_eq!(cache.layer_count(), layers.len(), "{name}");
}

fn expect_refusal(case: &Value, error: &Error, source: &str) {
    assert_eq!(status_name(error.status()), text(case, "status"), "{}", text(case, "name"));
    let words = case["message"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    for words in words.chain([source]) {
        assert!(error.message().contains(words), "'{}' does not say '{words}'", error.message());
    }
}

#[test]
fn profiles() {
    for case in data::cases("profiles.json") {
        let path = data::path(text(&case, "file"));
        let fingerprint = case["fingerprint"].as_str();
        let file = Path::new(&path).file_name().unwrap().to_str().unwrap().to_owned();
        let results = [
            (Profile::load(&path, fingerprint), file),
            (Profile::parse(std::fs::read(&path).unwrap(), fingerprint), "text".to_owned()),
        ];
        for (result, source) in &results {
            match result {
                Ok(profile) => {
                    assert_eq!(text(&case, "status"), "TQ_OK", "{}", text(&case, "name"));
                    expect_content(&case, profile);
                }
                Err(error) => expect_refusal(&case, error, &format!("{source}: ")),
            }
        }
    }
}

#[test]
fn profiles_that_cannot_be_read() {
    let refusal = |path: &str, fingerprint| Profile::load(path, fingerprint).unwrap_err();
    let missing = refusal("no such folder/profile.json", None);
    assert!(
        matches!(&missing, Error::NotFound(message) if message.contains("profile.json: cannot be read")),
        "{missing}"
    );
    let folder = refusal(&data::path("profiles"), None);
    assert!(matches!(&folder, Error::InvalidArgument(message) if message.contains("Is a directory")), "{folder}");
    assert_eq!(refusal("a\0b", None).message(), r#"path is "a\0b"; expected no NUL character"#);
    assert_eq!(refusal("a", Some("f\0")).message(), r#"fingerprint is "f\0"; expected no NUL character"#);
    for text in [&b""[..], b"{", &vec![b' '; MAX_PROFILE_BYTES + 1]] {
        let error = Profile::parse(text, None).unwrap_err();
        assert!(matches!(&error, Error::CorruptData(_)), "{error}");
    }
}
