"""Lets the command be called as `python -m orchestrator` too."""

from orchestrator.cli import main

if __name__ == "__main__":
    main()
