"""Benchmarks: `make bench` runs them all, `python -m tests.bench NAME …` some of them.

Speed is measured as a ratio of things run side by side in one process, because machines are noisy.
Each prints a table; all figures go to tests/bench/results/ as JSON. Run them on an idle machine.
"""
