"""The load tool behind `realmctl bench`: drives a server from a process of its own and measures it from outside.

It runs on asyncio, because it never runs inside the daemon, and knows nothing of the
daemon's rooms: any server that speaks the classic protocol will do.
"""
