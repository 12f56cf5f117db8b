"""Pure LazyFrame -> LazyFrame steps of the curation; no I/O."""
