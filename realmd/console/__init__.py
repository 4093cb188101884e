"""What an operator types to look at a running realm, and to have its machine looked over."""
