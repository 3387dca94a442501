"""What stands between adaptbench and tools that people have already: their tasks here, our tasks and results there.

May import engine, analysis and what they import. The tools are imported where they are used.
"""
