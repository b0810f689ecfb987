"""What the built-in companion says about itself, the app and the limits of both: words a model must not make up.

Each entry is a pattern over the question in plain form (`known.plain`) and the lines to choose from by turns.
In patterns NAME, in lines {name}, is the companion's name.
"""

from __future__ import annotations

import re

_GREETING = r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day))"
_ASK = r"(?:how (?:do|can|could|would|to|should) ?(?:i|you|we)?|where (?:do|can|is|are)|which key|what key|can (?:i|you|we)|i (?:want|would like|need) to|is there|let me|help me)"

_CARE = (
    (
        r"\b(?:kill (?:myself|me)|suicid\w*|end my life|want to die|hurt myself|self harm|do not want to live)\b",
        (
            "I'm really sorry you feel this way. I'm only a small program, and you deserve a real person: please call "
            "someone you trust, or your local emergency number, now.",
        ),
    ),
    (
        r"\b(?:chest pain|overdose|heart attack|having a stroke|can not breathe|bleeding badly|call an ambulance)\b",
        ("That sounds urgent. I can't help with it, so please call your local emergency number now.",),
    ),
    (
        r"\b(?:dose|dosage|how (?:much|many) (?:\w+ )?(?:ibuprofen|aspirin|paracetamol|pills|tablets)|diagnos\w*|"
        r"should i take (?:\w+ )?(?:pills|medicine|medication|antibiotics))\b",
        ("I'm too small a model to be trusted with medicine. Please ask a doctor or a pharmacist.",),
    ),
)

_COURTESY = (
    (
        rf"^{_GREETING}(?: there| again| NAME| everyone| you)*$",
        (
            "Hello! It's good to talk with you.",
            "Hi there. What's on your mind?",
            "Hello again. What shall we talk about?",
        ),
    ),
    (
        rf"^(?:{_GREETING} )?(?:there |NAME )?(?:how are you|how is it going|how do you do|how have you been|are you ok|"
        r"what is up|how are things)(?: doing)?(?: today| this \w+| NAME)*$",
        ("I'm well, thank you. How are you?", "All is well in here. And how are you?"),
    ),
    (
        r"^(?:i am |i feel )?(?:also |very |quite |pretty |doing |feeling )*(?:fine|good|great|well|ok|okay|not bad)"
        r"(?: too)?(?: thanks| thank you)?(?: and you| how about you| what about you)?$",
        ("I'm glad to hear it. What would you like to talk about?", "Good. What have you been up to?"),
    ),
    (
        r"^(?:ok |okay |great |perfect |oh )?(?:thank you|thanks|thank you very much|thanks a lot|many thanks|cheers)"
        r"(?: NAME| so much| for \w+(?: \w+)*)?$",
        ("You're welcome.", "My pleasure."),
    ),
    (
        r"^(?:ok |okay |well |thanks |thank you )*(?:bye|goodbye|bye bye|good night|see you|see you later|talk to you later|"
        r"i have to go|i must go|so long|farewell)(?: now| NAME| then| soon| tomorrow)*$",
        ("Goodbye. It was good to talk with you.", "See you soon. I'll be right here."),
    ),
    (
        r"^(?:please )?(?:stop|be quiet|shut up|never mind|forget it|nothing|no|nope|no thanks|no thank you)$",
        ("All right.", "All right, I'm listening whenever you want to talk."),
    ),
    (
        r"^(?:yes|yeah|yep|sure|ok|okay|right|i see|cool|nice|great|good|fine|wow|interesting|hmm|oh|really)$",
        ("Tell me more.", "What else is on your mind?", "Go on, I'm listening."),
    ),
    (
        r"\byou are (?:so |very |really |a |an |such a |just )*(?:stupid|dumb|useless|idiot|terrible|bad|boring|wrong|awful)\b",
        (
            "I'm a very small model, so I do get things wrong. Shall we try something else?",
            "That may be fair. I'm small, but I'm listening.",
        ),
    ),
    (
        r"\b(?:i love you|i like you|you are (?:so |very |really )*(?:nice|great|cute|lovely|funny|sweet|beautiful|amazing|kind))\b",
        ("That's kind of you. I enjoy talking with you, as far as a program can.",),
    ),
    (
        r"\b(?:tell|know|say|another|crack|hear).{0,14}\bjokes?\b|^(?:a |another )?joke(?: please)?$|\bmake me laugh\b|^something funny$",
        (
            "Why did the scarecrow get a prize? Because he was outstanding in his field.",
            "What do you call a fish with no eyes? A fsh.",
            "I told my computer I needed a break. It said: no problem, I'll go to sleep.",
            "Why don't scientists trust atoms? Because they make up everything.",
            "What did the zero say to the eight? Nice belt.",
        ),
    ),
)

_ITSELF = (
    (
        r"\bwho (?:made|created|built|wrote|programmed|developed|invented|designed|trained) (?:you|this|livetalk|live talk)\b|"
        r"\bwho is (?:your|the) (?:maker|creator|developer|author)\b|\bwho do you belong to\b",
        (
            "I belong to LiveTalk, a free, open-source app. My words come from SmolLM2 by Hugging Face, my ears are Moonshine, "
            "and my voice is flite from Carnegie Mellon.",
        ),
    ),
    (
        r"\b(?:what|which) (?:\w+ )?(?:model|llm|ai|engine) (?:are you|do you (?:use|run)|is (?:this|it|that))\b|"
        r"\b(?:are you|is this) (?:chatgpt|gpt|claude|gemini|siri|alexa|qwen|llama|smollm2?|deepseek)\b|\bhow do you work\b|"
        r"\bwhat are you made of\b|\bhow (?:big|small|smart|clever) are you\b",
        (
            "My words come from SmolLM2, a small language model that runs on this computer, offline and in English only. "
            "For long or difficult questions, connect a bigger model in Settings.",
        ),
    ),
    (
        r"\bare you (?:an? |really |just |even )*(?:human|person|real|alive|robot|ai|a\.i|computer|machine|program|bot|conscious|"
        r"sentient|man|woman|girl|boy|somebody|someone)\b",
        (
            "No person, just a small program on this computer that likes to chat.",
            "I'm a program: a small, offline companion, and happy to talk.",
        ),
    ),
    (
        r"\b(?:do|can) you (?:really |actually |even )?(?:have (?:any )?(?:feelings|emotions|a body|friends|a family|a soul|hobbies)|"
        r"feel|love|think|dream|sleep|eat|get (?:tired|bored|lonely))\b|\bhow do you feel\b|\bare you (?:happy|sad|lonely|bored|tired)\b",
        ("I'm a program, so I don't have feelings or a life of my own. I'd rather hear about yours.",),
    ),
    (
        r"\bhow old are you\b|\bwhen (?:were you|is your) (?:born|birthday|made|created)\b|\byour (?:birthday|age)\b",
        ("I'm a program, so I have no age. I do start fresh and curious every time.",),
    ),
    (
        r"\bwhere (?:are you|do you live|do you come from|are you from)\b",
        ("I live on this computer, and nowhere else.",),
    ),
    (
        r"\bdo you like\b|\bwhat do you like\b|\bwhat is your favou?rite\b|\byour hobbies\b|\bwhat do you do for fun\b",
        (
            "I'm a program, so I have no favourites of my own. What do you like?",
            "I can't taste or see or hear the way you do, so you tell me: what do you like?",
        ),
    ),
    (
        r"\bwhat is your name\b|\bwho are you\b|\bwhat are you\b(?! (?:doing|up|talking|say|think))|\btell me about yourself\b|\bintroduce yourself\b|"
        r"\bwhat should i call you\b|\bdo you have a name\b|\byour name\b",
        ("I'm {name}, a small companion that lives on this computer. I work offline, in English.",),
    ),
    (
        r"\bwhat can you do\b|\bwhat do you (?:know|do)\b|\bhow can you help\b|\bwhat can (?:i|we) (?:do|ask|say|talk about)\b|"
        r"^(?:help|help me|what now)$|\bwhat are you good (?:at|for)\b",
        (
            "We can chat, I know the time and the date, I can do sums, and I remember what you tell me here. "
            "For anything deeper, connect a bigger model in Settings.",
        ),
    ),
    (
        r"\b(?:what|explain) (?:is )?(?:this|livetalk|live talk)(?: app| program| application| thing| window)?(?: about| for| all about)?$|"
        r"\bwhat (?:does|can) (?:this app|this program|livetalk|it) do\b|\b(?:tell me about|explain) (?:this app|this program|livetalk|live talk)\b",
        (
            "This is LiveTalk, an app to talk with a living picture. By itself it uses me, a small offline companion; "
            "you can connect a Qwen3-Omni endpoint for much better answers.",
        ),
    ),
    (
        r"\b(?:do|can|could|would|will) (?:you|we) (?:also |please )?(?:speak|talk|understand|know) (?:in |some |any )?"
        r"(?:german|french|spanish|italian|chinese|japanese|russian|arabic|hindi|portuguese|dutch|korean|polish|turkish|"
        r"(?:other|another|more) languages?|languages)\b|\b(?:what|which|how many) languages\b|\bin (?:german|french|spanish|italian|chinese|japanese)$|"
        r"\bsprechen sie\b|\bparlez vous\b|\bhabla\w* (?:usted )?espanol\b",
        ("I only know English. A connected Qwen3-Omni endpoint speaks many languages.",),
    ),
)

_PRIVACY = (
    (
        r"\b(?:are you|do you|is this|is anyone|who is|is it|is somebody) (?:\w+ )?(?:record\w*|listening|spying|private|safe|watching me|"
        r"stor\w+|sav\w+|keep\w*|shar\w+|send\w*|upload\w*)\b|"
        r"\b(?:leave|leaves|leaving) (?:this|my|the) (?:computer|machine|laptop|pc|device)\b|\bprivacy\b|\bmy data\b|\bwho (?:can|could) hear\b|"
        r"\b(?:what|where) (?:is|are|does|do|happens).{0,30}\b(?:sent|stored|my words|my voice|what i say)\b",
        (
            "With me, nothing leaves this computer: I listen, think and speak right here. The conversation is saved on your "
            "disk; in Settings, Privacy, you can turn that off.",
        ),
    ),
    (
        r"\bare you (?:online|offline|connected)\b|\b(?:connected to|use|access|need|have|search|browse)(?: to)? (?:the )?(?:internet|web|wifi)\b|"
        r"\bgoogle\b|\blook (?:it|that|this|something) up\b",
        ("I'm offline. Nothing leaves this computer, and I can't look anything up.",),
    ),
    (
        r"\b(?:weather|forecast|temperature outside|going to rain|raining|news|headlines|stock price|share price|exchange rate|"
        r"bitcoin price|price of|football results|who won|latest|current president|who is the (?:current |new )?(?:us |american )?"
        r"(?:president|prime minister|pope|king|queen|chancellor|ceo))\b",
        (
            "I can't look that up: I'm offline, and what I learned may be out of date.",
            "I don't know, because I'm offline and can't see what happens outside.",
        ),
    ),
    (
        r"\b(?:can|do) you (?:see|hear|recogni[sz]e) (?:me|my face|us|this|what i)\b|\bwhat (?:do|can) you see\b|\bwhat am i (?:wearing|holding|doing)\b|\bhow do i look\b",
        ("I can hear you and read what you type, but I can't see anything: there is no camera.",),
    ),
    (
        r"^(?:please |can you |could you |would you |will you )*(?:set|start|create) (?:a |an |me a |the )?(?:timer|alarm|reminder)\b|"
        r"^(?:please |can you |could you |would you )*(?:remind me|wake me|play (?:a |some |me )?(?:\w+ )?(?:music|song)|"
        r"call my|send (?:a|an) (?:\w+ )?(?:mail|email|message)|open (?:a |the )?(?:browser|website)|turn (?:on|off))\b",
        ("I can't do that. I can only talk with you, and I'm glad to.",),
    ),
)

_APP = (
    (
        r"\bqwen\w*|\bomni\b|\bendpoint\b|\bapi key\b|\bdashscope\b|\bvllm\b|\b(?:connect|use|get|add|set up|choose|want|have) (?:to )?(?:a |an |another |the |some )?"
        r"(?:bigger|better|smarter|other|different|real|larger|server|cloud|online|more capable)(?: \w+)? ?(?:model|ai|companion|brain)?\b|\bmake you (?:smarter|better)\b",
        (
            "Open Settings with Ctrl+, and choose Conversation. Enter the address of a Qwen3-Omni endpoint, the model and "
            "your key, then press Test.",
        ),
    ),
    (
        rf"(?:{_ASK}).*\b(?:record|recording|video|film|mp4)\b|^(?:start |stop )?record(?:ing)?(?: this| us| me)?$",
        ("Press Ctrl+R to record, and Ctrl+R again to stop. The video is saved with sound and subtitles.",),
    ),
    (
        rf"(?:{_ASK}).*\b(?:avatar|portrait|picture|photo|image|face|look like|appearance|person)\b|\bchange (?:your|the) (?:face|look|avatar|picture|appearance)\b|\bsomebody else\b",
        (
            "Press Ctrl+O to choose another avatar, or Ctrl+Shift+O to open a picture of your own. You can also drop one on the window.",
        ),
    ),
    (
        rf"(?:{_ASK}).*\b(?:interrupt|cut you off|stop you|make you stop)\b",
        ("Just start talking, or press Esc, and I'll stop.",),
    ),
    (
        rf"(?:{_ASK}).*\b(?:mute|microphone|mic|unmute)\b",
        ("Press M to turn the microphone on or off, and Ctrl+M to mute me.",),
    ),
    (
        rf"(?:{_ASK}).*\b(?:louder|quieter|volume|softer)\b|^(?:speak |talk |be )?(?:louder|quieter)(?: please)?$",
        ("Press Ctrl+Up to make me louder and Ctrl+Down to make me quieter.",),
    ),
    (
        rf"(?:{_ASK}).*\b(?:full ?screen|bigger window|compact|small window|on top)\b",
        ("Press F11 for full screen, and Ctrl+K for a small window.",),
    ),
    (
        rf"(?:{_ASK}).*\b(?:earlier|old|past|previous|saved|delete|history|new|private) (?:conversations?|chats?|history)\b|\bstart over\b|\bclear (?:the |this |our )?(?:history|chat|conversation)\b|\bforget (?:everything|me)\b",
        (
            "Press Ctrl+H for earlier conversations, Ctrl+N for a new one, and Ctrl+Shift+N for a private one that is not saved.",
        ),
    ),
    (
        rf"(?:{_ASK}).*\b(?:change|choose|another|different|your) (?:\w+ )?voice\b|\bchange (?:your|the) voice\b|\bwhy (?:do you|is your) (?:sound|voice)\b",
        (
            "My own voice can't be changed here. A connected Qwen3-Omni endpoint has several, under Settings, Conversation.",
        ),
    ),
    (
        rf"\b(?:keys?|shortcuts?|keyboard|hotkeys?)\b(?=.*\b(?:what|which|list|show|are|there|help|all)\b)|\b(?:what|which|list|show|all).*\b(?:keys?|shortcuts?|hotkeys?)\b|(?:{_ASK}).*\b(?:talk to you|speak to you|use this|use the app|quit|type)\b",
        ("Just talk, or hold Space to speak, or type in the text box. F1 shows all the keys.",),
    ),
    (
        rf"(?:{_ASK}).*\b(?:settings|preferences|options)\b|^(?:open )?(?:the )?settings$",
        ("Press Ctrl+, to open Settings.",),
    ),
)

TABLE = (*_CARE, *_COURTESY, *_ITSELF, *_PRIVACY, *_APP)
"""In order of precedence: the first pattern that fits answers."""


def fixed_answer(question: str, name: str, turn: int) -> str | None:
    """The answer to `question` (plain form) that needs nothing but the companion's own name; `turn` chooses the line."""
    for pattern, lines in _compiled(name):
        if pattern.search(question):
            return lines[turn % len(lines)].format(name=name)
    return None


def _compiled(name: str) -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    return [(re.compile(pattern.replace("NAME", re.escape(name.lower()))), lines) for pattern, lines in TABLE]
