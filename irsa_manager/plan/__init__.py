"""Pure: desired and observed state, the actions between them, and whose a role is."""
