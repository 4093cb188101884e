"""Who is speaking: tokens, keys and signatures as pure functions.  Time and entropy come in as arguments."""
