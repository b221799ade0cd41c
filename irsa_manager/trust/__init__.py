"""Pure: ARNs, partitions and trust documents."""
