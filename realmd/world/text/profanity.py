"""Words that `chat.block_profanity` blocks: swear words and slurs of English that mean little else.

Short on purpose: each is a word of its own, and none has an innocent meaning that is common.
"""

from __future__ import annotations

from typing import Final

_LIST: Final = """
arsehole arseholes asshole assholes bastard bastards bitch bitches bollocks bullshit cunt cunts dickhead
dickheads dipshit dumbass faggot faggots fuck fucked fucker fuckers fucking fucks goddamn jackass kike
kikes motherfucker motherfuckers motherfucking nigga niggas nigger niggers paki pakis retard retarded
retards shit shits shithead shitheads shitty slut sluts spastic tranny trannies twat twats wanker
wankers whore whores wop wops
"""
COMMON: Final = tuple(_LIST.split())
