//! The words that metric and log share.

use crate::decision::rejection::Code;

use super::*;

#[test]
fn ok_is_not_the_name_of_a_reason() {
    assert!(Code::ALL.iter().all(|code| code.name() != CODE_OK));
}
