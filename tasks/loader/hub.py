"""One split of a data set on the Hugging Face Hub, at a pinned commit, as a table."""

from __future__ import annotations

import os

from bench.core.quoting import plain
from tasks.loader.parquet import with_class_names
from tasks.loader.problems import Problems
from tasks.loader.rows import Table, flattened
from tasks.loader.spec import Hub


def read_hub(hub: Hub, split: str, file: str, problems: Problems) -> Table | None:
    """The data set's split `split`; None, and a problem, where `datasets` cannot get it.

    Class labels, which the Hub stores as numbers, become their names.
    """
    where = f"hub data set {hub.dataset} at {hub.revision[:7]}, split {split}"
    if os.path.exists(hub.dataset):  # the library would take what lies there
        problems.add(file, f"{where}: there is a file or folder of that name here", "run from another folder")
        return None
    try:
        import datasets  # slow to import, and only hub tasks need it
    except ImportError:
        problems.add(file, f"{where}: the package datasets is missing", 'pip install "adaptbench[hub]"')
        return None
    try:
        found = datasets.load_dataset(hub.dataset, hub.config, split=split, revision=hub.revision)
        for name in [name for name, f in found.features.items() if isinstance(f, getattr(datasets, "Image", ()))]:
            found = found.cast_column(name, datasets.Image(decode=False))  # its bytes, as they are stored
        names = {name: f.names for name, f in found.features.items() if isinstance(f, datasets.ClassLabel)}
        rows = [with_class_names(dict(row), names) for row in found]
    except Exception as error:  # whatever the library, the network or the data set's files raise: one line
        reason = plain((str(error).strip() or type(error).__name__).splitlines()[0])
        remedy = "check the network and the names, or point splits at local files"
        problems.add(file, f"{where}: cannot be read ({type(error).__name__}: {reason})", remedy)
        return None
    return flattened(Table(where, tuple(found.column_names), rows, list(range(1, len(rows) + 1))))
