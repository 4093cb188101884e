"""What every room speaks of: refusals and faults, figures, token buckets, the shapes of secrets.  Pure."""
