//! The JSON schema of a profile, made from the tables the reader itself goes by.
//!
//! It says what an editor can check while typing: keys, shapes, spellings. What is held against something else (the
//! ceiling on logins, the accounts, the names of SLOs) only the reader can say.

use serde_json::{Map, Value, json};

use super::load::PROFILE_KEYS;
use super::read::abort::ABORT_KEYS;
use super::read::activities::ACTIVITY_KEYS;
use super::read::observe::OBSERVE_KEYS;
use super::read::phases::PHASE_KEYS;
use super::read::target::TARGET_KEYS;
use super::read::users::USERS_KEYS;
use super::registry::{KeySpec, Presence, Registry, Shape};

/// The schema of the profiles that may name this registry's activities (JSON Schema, draft 2020-12).
pub fn schema<R: Registry>(registry: &R) -> Value {
    let mut schema =
        object(PROFILE_KEYS, "What a run does: where, who, when, what, and what it is held against.");
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("xmpp-bench profile");
    let kinds: Vec<Value> =
        registry.kinds().iter().map(|spec| activity(spec.kind, spec.summary, spec.keys)).collect();
    for (section, value) in [
        ("target", object(TARGET_KEYS, "Where to connect to.")),
        ("users", list(&object(USERS_KEYS, "Users alike."))),
        ("phase", list(&object(PHASE_KEYS, "A stretch of the run."))),
        ("activity", list(&json!({ "oneOf": kinds }))),
        ("slo", slo()),
        ("abort", object(ABORT_KEYS, "What ends the run early.")),
        ("observe", observe()),
    ] {
        schema["properties"][section] = value;
    }
    schema
}

fn activity(kind: &str, summary: &str, keys: &[KeySpec]) -> Value {
    let all: Vec<KeySpec> = ACTIVITY_KEYS.iter().chain(keys).copied().collect();
    let mut schema = object(&all, summary);
    schema["properties"]["kind"] = json!({ "const": kind, "description": summary });
    let paces =
        ["rate", "every", "session"].into_iter().filter(|pace| all.iter().any(|spec| spec.name == *pace));
    schema["oneOf"] = paces.map(|pace| json!({ "required": [pace] })).collect();
    schema
}

fn slo() -> Value {
    json!({
        "type": "object",
        "description": "Objectives: \"message.delivery.p99\" = \"<= 250ms\", \"message.lost\" = \"== 0\".",
        "additionalProperties": { "type": "string", "pattern": "^\\s*(<=|<|==|>=|>)" },
    })
}

/// One source as a table, or several as a list.
fn observe() -> Value {
    let mut source = object(OBSERVE_KEYS, "What is watched of the server meanwhile.");
    source["oneOf"] = ["process", "pid", "prometheus"].map(|key| json!({ "required": [key] })).into();
    json!({ "anyOf": [source, list(&source)] })
}

fn list(item: &Value) -> Value {
    json!({ "type": "array", "minItems": 1, "items": item })
}

fn object(keys: &[KeySpec], description: &str) -> Value {
    let properties: Map<String, Value> =
        keys.iter().map(|spec| (spec.name.to_owned(), property(spec))).collect();
    let required: Vec<&str> =
        keys.iter().filter(|spec| spec.presence == Presence::Required).map(|spec| spec.name).collect();
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn property(spec: &KeySpec) -> Value {
    let mut property = shape(spec.shape);
    property["description"] = match spec.presence {
        Presence::Default(default) => json!(format!("{}. Default: {default}.", spec.doc)),
        Presence::Required | Presence::Optional => json!(format!("{}.", spec.doc)),
    };
    property
}

fn shape(shape: Shape) -> Value {
    match shape {
        Shape::Section => json!({}),
        Shape::Text => json!({ "type": "string", "minLength": 1 }),
        Shape::Choice(choices) => json!({ "enum": choices }),
        Shape::Choices(choices) => json!({ "type": "array", "minItems": 1, "items": { "enum": choices } }),
        Shape::Texts => {
            let text = json!({ "type": "string", "minLength": 1 });
            json!({ "anyOf": [text, { "type": "array", "minItems": 1, "items": text }] })
        }
        Shape::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Number => json!({ "type": "number", "minimum": 0 }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Duration => pattern(r"^(\s*[0-9]+\s*[a-zA-Zµ]+)+$"),
        Shape::Rate => pattern(r"^\s*[0-9.]+\s*/\s*(s|sec|min|m|h)\s*$"),
        Shape::PaceRate => pattern(r"^\s*[0-9.]+\s*/\s*(s|sec|min|m|h)(\s*per user)?\s*$"),
        Shape::Size => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, pattern(r"^(uniform|lognormal)\s*\(.*\)$")] })
        }
        Shape::Share => json!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            pattern(r"^[0-9.]+\s*%$"),
        ] }),
        Shape::Durations => {
            pattern(r"^((\s*[0-9]+\s*[a-zA-Zµ]+)+|(uniform|exponential|lognormal)\s*\(.*\))$")
        }
        Shape::RoomSizes => {
            json!({ "anyOf": [{ "type": "integer", "minimum": 2 }, pattern(r"^(uniform|zipf)\s*\(.*\)$")] })
        }
        Shape::Form(form) => pattern(form),
        Shape::Graph => pattern(r"^(ring|random|zipf\s*\(.*\))$"),
        Shape::Online => json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            pattern(r"^[0-9.]+\s*%$"),
            { "type": "object", "additionalProperties": { "type": "integer", "minimum": 0 } },
        ] }),
    }
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}
