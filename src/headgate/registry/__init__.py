"""Images at their registry: logins, digests, whose commit they are of."""
