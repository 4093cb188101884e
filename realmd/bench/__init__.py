"""The load tool behind `realmctl bench`: drives a server and measures it, from a process of its own.

It runs on asyncio, because it never runs inside the daemon, and knows nothing of the
daemon's rooms: any server that speaks the classic protocol will do.
"""
