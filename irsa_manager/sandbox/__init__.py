"""A local cluster and a local AWS, for trying, testing and demonstrating."""
