"""The operator: queue, reconcilers, sweeps, status, metrics."""
