//! Where an interval ends: at a number, nowhere, or among what never completed.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An end of an interval, or a confidence limit, of the same kind as the change.
///
/// In JSON: `null`, a number, `"+inf"` or `"-inf"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// The runs set no limit on this side.
    Open,
    /// The limit.
    At(f64),
    /// The whole interval lies where nothing ever completed.
    Plus,
    /// The whole interval lies with the base, where nothing ever completed.
    Minus,
}

impl End {
    /// From the lower limit of a shift.
    pub(super) fn lower(limit: f64) -> Self {
        Self::of(limit, f64::NEG_INFINITY)
    }

    /// From the upper limit of a shift.
    pub(super) fn upper(limit: f64) -> Self {
        Self::of(limit, f64::INFINITY)
    }

    fn of(limit: f64, open: f64) -> Self {
        match limit {
            limit if limit.is_finite() => Self::At(limit),
            f64::INFINITY if open < 0.0 => Self::Plus,
            f64::NEG_INFINITY if open > 0.0 => Self::Minus,
            _ => Self::Open,
        }
    }

    /// The same with its number converted.
    pub(super) fn map(self, convert: impl FnOnce(f64) -> f64) -> Self {
        match self {
            Self::At(limit) => Self::At(convert(limit)),
            other => other,
        }
    }

    /// Whether it lies above no change at all.
    pub(super) fn is_above_zero(self) -> bool {
        self == Self::Plus || self.at().is_some_and(|limit| limit > 0.0)
    }

    /// Whether it lies below no change at all.
    pub(super) fn is_below_zero(self) -> bool {
        self == Self::Minus || self.at().is_some_and(|limit| limit < 0.0)
    }

    /// The limit, if it is a number.
    pub const fn at(self) -> Option<f64> {
        match self {
            Self::At(limit) => Some(limit),
            Self::Open | Self::Plus | Self::Minus => None,
        }
    }
}

const PLUS: &str = "+inf";
const MINUS: &str = "-inf";

impl Serialize for End {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Open => serializer.serialize_none(),
            Self::At(limit) => serializer.serialize_f64(*limit),
            Self::Plus => serializer.serialize_str(PLUS),
            Self::Minus => serializer.serialize_str(MINUS),
        }
    }
}

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Word(String),
        }
        match Option::<Raw>::deserialize(deserializer)? {
            None => Ok(Self::Open),
            Some(Raw::Number(limit)) => Ok(Self::At(limit)),
            Some(Raw::Word(word)) if word == PLUS => Ok(Self::Plus),
            Some(Raw::Word(word)) if word == MINUS => Ok(Self::Minus),
            Some(Raw::Word(word)) => Err(de::Error::invalid_value(
                de::Unexpected::Str(&word),
                &"null, a number, \"+inf\" or \"-inf\"",
            )),
        }
    }
}

impl JsonSchema for End {
    fn schema_name() -> Cow<'static, str> {
        "End".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "null: unbounded. \"+inf\", \"-inf\": the whole interval lies among what never completed.",
            "anyOf": [{ "type": "null" }, generator.subschema_for::<f64>(), { "const": PLUS }, { "const": MINUS }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_keeps_its_sign_in_json() {
        for (end, text) in [
            (End::lower(f64::NEG_INFINITY), "null"),
            (End::upper(f64::INFINITY), "null"),
            (End::lower(f64::INFINITY), "\"+inf\""),
            (End::upper(f64::NEG_INFINITY), "\"-inf\""),
            (End::lower(0.25), "0.25"),
        ] {
            assert_eq!(serde_json::to_string(&end).unwrap(), text);
            assert_eq!(serde_json::from_str::<End>(text).unwrap(), end);
        }
        assert!(serde_json::from_str::<End>("\"inf\"").is_err());
    }
}
