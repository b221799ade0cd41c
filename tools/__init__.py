"""What only those who work on irsa-manager run."""
