"""The engine, a locked-in process that reads and renders all YAML. This package speaks to it and knows no YAML."""
