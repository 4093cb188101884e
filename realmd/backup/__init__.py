"""The way back: archives of a realm, restoring and verifying them, how long they are kept.

Used by `realmctl` and its timers; the daemon reads no more of it than `record`.
"""
