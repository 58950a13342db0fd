//! The text of a config file.

use std::path::Path;

use toml::de::DeTable;
use toml::de::DeValue;
use waxseal::config::{Severity, parse, render};

/// Reads the text; what it points to is not there.
pub fn body(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if text.len() > 16 * 1024 || points_to_a_file(text) {
        return;
    }
    let read = || parse(text, Path::new("nowhere/config.toml"), &|_| None);
    let (lines, config) = (text.split('\n').count(), read());
    let complaints = match &config {
        Ok(config) => {
            assert!(!config.snapshot.routes.routes().is_empty());
            assert!(!format!("{config:?}").is_empty());
            let effective = config.effective().toml();
            assert!(DeTable::parse(&effective).is_ok(), "the settings in effect are no TOML: {effective}");
            assert!(serde_json::from_str::<serde_json::Value>(&config.effective().json()).is_ok());
            assert!(config.warnings.iter().all(|told| told.severity == Severity::Warning));
            &config.warnings
        }
        Err(report) => {
            assert!(report.diagnostics.iter().any(|told| told.severity == Severity::Error));
            &report.diagnostics
        }
    };
    for told in complaints {
        assert!(told.line <= lines && told.end_line <= lines && told.line <= told.end_line, "{told:?}");
        assert!(told.severity == Severity::Warning || !told.advice.is_empty(), "{told:?}");
    }
    // Behind the hundredth stands how many more there are.
    let first = &complaints[..complaints.len().min(100)];
    assert!(first.is_sorted_by_key(|told| (told.severity, told.line, told.column)), "{complaints:?}");
    let rendered = render::complaints(complaints);
    assert!(!rendered.contains(['\r', '\t', '\0', '\u{202e}']), "{rendered:?}");
    let again = match read() {
        Ok(config) => config.warnings,
        Err(report) => report.diagnostics,
    };
    assert_eq!(format!("{again:?}"), format!("{complaints:?}"), "what is told depends on more than the text");
}

/// Whether the text names a file that is there: a target reads nothing but what it is given.
fn points_to_a_file(text: &str) -> bool {
    let (tree, _) = DeTable::parse_recoverable(text);
    tree.get_ref().values().any(|value| names_a_file(value.get_ref()))
}

fn names_a_file(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::String(text) => text.starts_with('/') && Path::new(&**text).exists() && !Path::new(&**text).is_dir(),
        DeValue::Array(list) => list.iter().any(|value| names_a_file(value.get_ref())),
        DeValue::Table(table) => table.values().any(|value| names_a_file(value.get_ref())),
        _ => false,
    }
}
