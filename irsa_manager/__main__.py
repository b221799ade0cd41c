"""`python -m irsa_manager`: the same as the command irsa-manager."""

from irsa_manager.cli.main import run

if __name__ == "__main__":
    run()
