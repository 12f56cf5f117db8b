"""The configuration: pydantic models of `conf/` and the only reader of YAML."""
