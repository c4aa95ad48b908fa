//! What users do: one file per feature.
