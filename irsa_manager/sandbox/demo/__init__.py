"""The demo: the whole chain on this machine, each step held against what AWS would say."""
