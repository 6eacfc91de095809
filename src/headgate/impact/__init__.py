"""The effects of an object's change when it is applied, and its risks."""
