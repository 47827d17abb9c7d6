#!/usr/bin/env python3
"""The program that the README shows whole is examples/hello.cpp, letter for letter."""
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parents[2]
program = (root / "examples/hello.cpp").read_text()
if f"```cpp\n{program}```\n" not in (root / "README.md").read_text():
    sys.exit("README.md does not show examples/hello.cpp as it is")
