"""The manifest of requirements: one TOML file a subject, each requirement with a stable id."""
