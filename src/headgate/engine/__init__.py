"""The engine, a sandboxed process that reads and renders all YAML. This package talks to it and parses no YAML."""
