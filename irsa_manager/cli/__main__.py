"""python -m irsa_manager.cli: the command line where its script isn't on PATH."""

from irsa_manager.cli.main import run

if __name__ == "__main__":
    run()
