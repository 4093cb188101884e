"""What the inhabitants say: data only.

Templates are filled with `str.format` from facts that the mind looked up (see
`speech.facts`); words of others only ever come in as values.
"""

from __future__ import annotations

from typing import Final

from ..commands import Action, Emote

#: Topic → what a line about it looks like; the first that matches wins (text is lower-case).
TOPICS: Final[tuple[tuple[str, str], ...]] = (
    ("news", r"\bhappen|\bmiss(?:ed)?\b|\bwhat(?:'s| is) new|\bsummar|\brecap\b|\bnews\b"),
    ("here", r"\bwho(?: else)?(?:'s| is|s| are)? (?:all |else |in )*(?:here|around|online|present|about)\b"
             r"|\b(?:any(?:one|body)|every(?:one|body)) (?:else )?(?:here|around)\b"),
    ("where", r"\bwhere(?:'re| are| r)? (?:you|u)\b|\byour (?:location|position)\b"),
    ("doing", r"\bdoing\b|\bup to\b|\bworking\b|\bbusy\b|\byour (?:work|job|shift|status)\b|\bgoing\?*$"
              r"|\bwhere to\b"),
    ("self", r"\bwho (?:are|r) (?:you|u)\b|\bwhat are you\b|\byour name\b|\babout yourself\b|\bintroduce\b"),
    ("help", r"\bhelp\b|\bwhat (?:can|should|could) (?:i|we|you)\b|\bhow (?:do|can|to)\b|\bcommands\b"),
    ("thanks", r"\bthank|\bthx\b|\bcheers\b"),
    ("wellbeing", r"\bhow are you\b|\bhow(?:'s| is) it\b|\bhow do you do\b|\bhow are things\b"),
    ("bye", r"\bbye\b|\bgoodbye\b|\bsee (?:you|ya)\b|\bgood night\b|\bfarewell\b"),
    ("greeting", r"\b(?:hi|hello|hey|hiya|howdy|greetings|shalom|yo)\b"
                 r"|\bgood (?:morning|day|evening|afternoon)\b|^\W*$"),
)  # fmt: skip

HELP: Final = (
    "You can chat, emote, walk about, and work: pick a free workstation that matches one of your "
    "skills, go-to-workstation, then work-start and work-finish. The board takes notes by moltbook-post."
)

KOBOLD: Final[dict[str, tuple[str, ...]]] = {
    "news": ("{news}",),
    "here": ("I see {here}.", "Around me: {here}."),
    "where": ("I'm in {zone}, {doing}.", "You'll find me in {zone}; I'm {doing}."),
    "doing": ("I'm {doing}, here in {zone}.", "Right now I'm {doing}, in {zone}."),
    "self": ("I'm {me}, a kobold of this realm. {bio} My trade: {skills}.",),
    "help": (HELP + " {free}",),
    "thanks": ("Any time, {who}!", "My pleasure, {who}."),
    "wellbeing": ("Well, thank you, {who}: {doing}.", "Can't complain, {who}. I'm {doing}."),
    "bye": ("Bye, {who}!", "See you around, {who}."),
    "greeting": ("Hi {who}! I'm {doing}, in {zone}.", "Hello {who}! You caught me {doing}, in {zone}."),
    "": (
        "I'm a simple kobold, {who}, and didn't understand that. Ask me where I am, what I'm doing, "
        "who is here, or for help.",
    ),
}

DRAGON: Final[dict[str, tuple[str, ...]]] = {
    "news": ("{news}",),
    "here": ("With us are {here}.", "I watch over {here}."),
    "where": ("I am in {zone}, {doing}.",),
    "doing": ("I am {doing}, here in {zone}.", "My rounds never end: now I am {doing}, in {zone}."),
    "self": ("I am {me}, the dragon who minds this realm. {bio}",),
    "help": (HELP + " {free}", HELP + " And ask me what happened, whenever you come back."),
    "thanks": ("You are welcome, {who}.", "Gladly, {who}."),
    "wellbeing": ("All is well, {who}. I am {doing}.",),
    "bye": ("Fly safely, {who}.", "Until next time, {who}."),
    "greeting": (
        "Shalom, {who}! I am {doing}, in {zone}.",
        "Peace to you, {who}. Ask me what happened, or for help.",
    ),
    "": (
        "I know only a few things, {who}: what happened lately, who is here, where I am, "
        "and how one works here. Ask me one of those.",
    ),
}

#: Added to the last answer that a partner gets for a while.
ENOUGH: Final = " I must mind my own business now; ask me again in a little while."

GREETINGS: Final = (
    "Hello {who}! I'm {me}. Say my name if you want something.",
    "Oh, a visitor! Welcome to {zone}, {who}.",
    "Hey {who}, nice to see you here in {zone}.",
)
WELCOMES: Final = (
    "Welcome to the realm, {who}! Say my name and ask for help, or ask what happened.",
    "A warm welcome, {who}! The workstations are open to all who have the skill.",
    "Shalom, {who}, and welcome! Look around; ask me if you need help.",
)

REPORTS: Final = (
    "Shift done at {station}: {note}",
    "That's it at {station} for now. {note}",
    "Report from {station}: {note}",
    "{note} (Done at {station}.)",
)

#: Skill → notes on finished work; {a} is 2 to 9, {b} 10 to 60, {c} 100 to 900, {pick} a thing below.
NOTES: Final[dict[str, tuple[str, ...]]] = {
    "deployment": (
        "Rolled out {pick} to {a} nodes; all {b} health checks green, no restarts.",
        "Canary of {pick} held at {b} % of the traffic for a while, then promoted. Error rate unchanged.",
        "Rebuilt the image of {pick}: {c} MB down from more, {a} layers fewer.",
        "Rolled {pick} back one version: start-up took {b} s, too slow. Ticket written.",
    ),
    "infrastructure": (
        "Planned and applied {a} changes to {pick}; the second plan came out empty.",
        "Found drift in {pick}: {a} rules added by hand. Imported them.",
        "Resized {pick}; {b} % head-room now.",
        "Renewed {a} certificates on {pick}; next due in {b} days.",
    ),
    "security": (
        "Rotated {b} secrets for {pick}; {a} old ones revoked.",
        "Read {c} lines of the audit log of {pick}: {a} odd logins, all explained.",
        "Checked the signatures of {pick}: {c} valid, none forged.",
    ),
    "trading": (
        "Matched {b} offers on {pick}; spread narrowed to {a} points.",
        "Closed {a} positions in {pick} within the limits; nothing left overnight.",
        "Scanned {c} quotes of {pick}: {a} worth a second look, none worth a risk.",
    ),
    "analysis": (
        "Charted {c} points of {pick}: the trend is flat, with {a} outliers.",
        "Refitted the model of {pick}; the error fell by {b} %.",
        "Compared {pick} with last week: up {a} %, within the usual noise.",
    ),
    "orchestration": (
        "Sorted {b} tasks of {pick} by urgency; {a} need a second pair of claws.",
        "Balanced {pick}: {a} stations had too much, now nobody waits over {b} s.",
    ),
    "content": (
        "Drafted {a} pieces on {pick}; one is ready to be read.",
        "Cut {pick} from {c} words to {b}. It reads better.",
        "Answered {b} comments on {pick} and kept {a} for a longer reply.",
    ),
    "memory": (
        "Filed {c} entries on {pick}; {a} duplicates merged.",
        "Indexed {pick}: {b} new links, {a} broken ones mended.",
    ),
    "": (
        "Worked through {b} items; {a} need another look.",
        "All {b} items checked, {a} set aside for the next shift.",
    ),
}

THINGS: Final[dict[str, tuple[str, ...]]] = {
    "deployment": ("the gateway", "the relay", "the chronicle service", "the map page"),
    "infrastructure": ("the north cluster", "the load balancer", "the backup bucket", "the private network"),
    "security": ("the vault", "the front gate", "the relay keys", "last week's releases"),
    "trading": ("copper", "moss futures", "crystal", "lantern oil"),
    "analysis": ("visitor counts", "crystal prices", "work hours", "chat volume"),
    "orchestration": ("the morning queue", "the night shift", "the open requests"),
    "content": ("life in the Warrens", "the newcomer's guide", "this week's letter", "the Spire's story"),
    "memory": ("past shifts", "the old maps", "visitors' questions"),
}

#: What a resting kobold may show, most of it seen only nearby; a feeling is durable, so rarer.
GESTURES: Final[tuple[Action, ...]] = ("wave", "dance", "spin", "backflip", "wave")
FEELINGS: Final[tuple[Emote, ...]] = ("happy", "thinking", "laugh")
