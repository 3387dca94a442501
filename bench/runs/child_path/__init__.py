"""The folder that stands first on the path of the processes of cells; nothing but `adaptbench_child` is in it."""
