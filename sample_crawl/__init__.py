"""The sample crawl: a small bucket of six sources with a known truth, and what builds it."""
