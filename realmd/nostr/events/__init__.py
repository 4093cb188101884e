"""What the realm says and reads on Nostr relays: events as drafts to be signed, and as they were published.

Nothing here signs, checks a signature, connects or knows the time.  Readers take events whose id
and signature were checked already.  docs/nostr.rst describes every kind.
"""
