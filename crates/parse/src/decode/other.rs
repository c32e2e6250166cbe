//! Stubs.
use super::Raw;
pub(crate) fn cef(_text: &str, _raw: &mut Raw<'_, '_>) {}
pub(crate) fn leef(_text: &str, _raw: &mut Raw<'_, '_>) {}
pub(crate) fn audit(_text: &str, _raw: &mut Raw<'_, '_>) {}
pub(crate) fn windows_xml(_text: &str, _raw: &mut Raw<'_, '_>) {}
