"""The documentation site: what mkdocs is told by `mkdocs.yml`, and the pages that are made from code and from runs."""
