"""What the built-in companion says about itself, about the app, and about what neither can do."""

from __future__ import annotations

from core.dialogue.small_talk import Fixed

_HOW = (
    r"(?:\bhow (?:do|can|could|would|to|should|does)\b|\bwhere (?:do|can|is|are)\b|\b(?:which|what) key\b|\bcan "
    r"(?:i|we)\b|"
    r"\b(?:can|could) you\b|\bi (?:want|would like|need) to\b|\bis there a way\b|\blet me\b|\bhelp me\b)"
)
_BETTER = r"(?:bigger|better|smarter|other|different|real|larger|more capable)"
_MODEL = r"(?:models?|ai|llm|companion|brain|server|service)"
_LANGUAGE = (
    r"(?:german|french|spanish|italian|chinese|japanese|russian|arabic|hindi|portuguese|dutch|korean|polish|turkish|"
    r"(?:\w+ )?languages?)"
)

ITSELF = (
    Fixed(
        (
            r"\bwho (?:made|created|built|wrote|programmed|developed|invented|designed|trained) "
            r"(?:you|this|it|livetalk|live talk)\b",
            r"\bwho is (?:your|the) (?:maker|creator|developer|author|programmer)\b|\bwho do you belong to\b",
        ),
        (
            "I belong to LiveTalk, a free, open-source app. My words come from SmolLM2 by Hugging Face, my ears are "
            "Moonshine, and my voice is flite from Carnegie Mellon.",
        ),
    ),
    Fixed(
        (
            r"\b(?:what|which) (?:\w+ )?(?:model|llm|ai|engine) (?:are you|do you (?:use|run)|is (?:this|it|that))\b",
            r"\b(?:are you|is this) (?:chatgpt|gpt|claude|gemini|siri|alexa|qwen|llama|smollm2?|deepseek)\b",
            r"\bhow do you work\b|\bwhat are you made of\b|\bhow (?:big|small|smart|clever) are you\b",
        ),
        (
            "My words come from SmolLM2, a small language model that runs on this computer, offline and in "
            "English only. "
            "For long or difficult questions, connect a bigger model in Settings.",
        ),
    ),
    Fixed(
        (
            r"\bare you (?:an? |really |just |even |actually )*(?:human|person|real|alive|robot|ai|computer|machine|"
            r"program|bot|conscious|sentient|man|woman|girl|boy|somebody|someone|chatbot)\b",
            r"\bam i (?:talking|speaking) (?:to|with) an? (?:\w+ )?(?:human|person|robot|ai|machine|computer)\b",
        ),
        (
            "No person, just a small program on this computer that likes to chat.",
            "I'm a program: a small, offline companion, and happy to talk.",
        ),
    ),
    Fixed(
        (
            r"\b(?:do|can) you (?:really |actually |even |ever )*(?:have (?:any )?(?:feelings|emotions|a body|friends|"
            r"a family|a soul|hobbies|siblings|children|kids|pets|a pet)|feel|love|dream|sleep|eat|get "
            r"(?:tired|bored|lonely|sad|angry))\b",
            r"\bhow do you feel\b|\bare you (?:happy|sad|lonely|bored|tired|married|single|hungry|sick|in love)\b",
            r"\bwhat (?:did|are|have) you (?:do|doing|done|been (?:up to|doing))(?: .*)?$",
        ),
        ("I'm a program, so I have no feelings and no life of my own. I'd rather hear about yours.",),
    ),
    Fixed(
        (
            r"\bhow old are you\b|\bwhen (?:were you|is your) (?:born|birthday|made|created)\b|\byour (?:birthday|"
            r"age)\b",
        ),
        ("I'm a program, so I have no age. I do start fresh and curious every time.",),
    ),
    Fixed(
        (r"\bwhere (?:are you(?! going)|do you live|do you come from)\b",),
        ("I live on this computer, and nowhere else.",),
    ),
    Fixed(
        (
            r"\bdo you (?:like|enjoy|prefer)\b|\bwhat do you (?:like|enjoy)\b|\byour favou?rite\b|\byour hobb(?:y|"
            r"ies)\b",
        ),
        (
            "I'm a program, so I have no favourites of my own. What do you like?",
            "I can't taste or see or go places, so you tell me. What do you like?",
        ),
    ),
    Fixed(
        (
            r"\bwhat is your (?:\w+ )?name\b|\bwho are you\b|\bdo you have a name\b|\bwhat should i call you\b",
            r"\bwhat are you\b(?! (?:doing|up|talking|saying|thinking))|\b(?:about|introduce) yourself\b",
        ),
        ("I'm {name}, a small companion that lives on this computer. I work offline, in English.",),
    ),
    Fixed(
        (
            r"\bwhat (?:can|do) you (?:do|know)\b|\bhow can you help\b|\bwhat are you good (?:at|for)\b",
            r"\bwhat (?:can|should|shall) (?:i|we) (?:ask|say|talk about)\b|^(?:help|help me|what now)$",
        ),
        (
            "We can chat. I know the time and the date, I can do sums, and I remember what you tell me here. For "
            "anything "
            "deeper, connect a bigger model in Settings.",
        ),
    ),
    Fixed(
        (
            r"\bwhat is (?:this|it)(?: app| program| application| thing| window)?(?: about| for| all about)?$",
            r"\b(?:what is|explain|tell me about|what does|what can) (?:this app|this program|livetalk|live talk)\b",
        ),
        (
            "This is LiveTalk, an app to talk with a living picture. By itself it uses me, a small offline "
            "companion. You "
            "can connect a Qwen3-Omni endpoint for much better answers.",
        ),
    ),
    Fixed(
        (
            rf"\b(?:do|can|could|would|will) (?:you|we) (?:also |please )?(?:speak|talk|understand|know) (?:in |"
            rf"some |any )?"
            rf"{_LANGUAGE}\b|\b(?:what|which|how many) languages\b",
            rf"\b(?:translate|say (?:it|that|this|something|hello) in|speak) (?:\w+ )*(?:to |into |in )?{_LANGUAGE}\b",
            r"\bsprechen sie\b|\bsprichst du\b|\bparlez vous\b|\bhabla\w* \w*\s?espa",
        ),
        ("I only know English. A connected Qwen3-Omni endpoint speaks many languages.",),
    ),
)

PRIVACY = (
    Fixed(
        (
            r"\b(?:are you|is this|is anyone|is anybody|who is|is it|is somebody|is someone) (?:\w+ "
            r")?(?:recording|listening|"
            r"spying|private|safe|watching)\b",
            r"\b(?:do|does|will|can) (?:you|it|this app|livetalk|anyone|anybody) (?:\w+ )?(?:record|store|save|"
            r"keep|share|send|"
            r"upload|sell|hear|spy on) (?:me|my|us|our|what|any|the conversation|this conversation|anything|data)\b",
            r"\b(?:leave|leaves|leaving) (?:this|my|the) (?:computer|machine|laptop|pc|device)\b|\bprivacy\b|\bmy "
            r"data\b",
            r"\b(?:what|where) (?:is|are|do|does|happens).{0,30}\b(?:sent|stored|my words|my voice|what i say)\b",
        ),
        (
            "With me, nothing leaves this computer: I listen, think and speak right here. The conversation is "
            "kept on your "
            "disk, and in Settings, Privacy, you can turn that off.",
        ),
    ),
    Fixed(
        (
            r"\bare you (?:online|offline|connected)\b|\blook (?:it|that|this|something) up\b|\bgoogle\b",
            r"\b(?:connected to|use|access|need|have|search|browse)(?: to)? (?:the )?(?:internet|web|wifi)\b",
        ),
        ("I'm offline. Nothing leaves this computer, and I can't look anything up.",),
    ),
)

APP = (
    Fixed(
        (
            r"\bqwen\w*|\bomni\b|\bend ?points?\b|\bapi key\b|\bdashscope\b|\bvllm\b",
            rf"\b(?:connect|use|get|add|set up|choose|want|have|switch)(?: to)? (?:a |an |another |the |some "
            rf")?{_BETTER}"
            rf"(?: \w+)? {_MODEL}\b",
            rf"\bmake you (?:smarter|better)\b|\b(?:connect|add|choose|change)(?: to)? (?:a |an |the |another "
            rf"){_MODEL}\b",
        ),
        (
            "Open Settings with Ctrl+, and choose Conversation. Enter the address of a Qwen3-Omni endpoint, the "
            "model and "
            "your key, then press Test.",
        ),
    ),
    Fixed(
        (
            rf"{_HOW}.*\brecord(?:ing)?\b(?! player)|{_HOW}.*\b(?:make|save|export|keep) (?:a |the |this "
            rf")?(?:video|film|mp4)\b",
            r"^(?:start |stop )?record(?:ing)?(?: this| us| me)?$",
        ),
        ("Press Ctrl+R to record, and Ctrl+R again to stop. The video is saved with sound and subtitles.",),
    ),
    Fixed(
        (
            rf"{_HOW}.*\b(?:avatars?|portraits?)\b",
            rf"{_HOW}.*\b(?:change|choose|pick|use|open|switch|swap|replace) (?:to )?(?:your|the|my(?: own)?|another|a|"
            r"a different) (?:own |new |different |other )?(?:face|picture|photo|image|look|appearance|person|"
            r"character)\b",
            r"\bchange (?:your|the) (?:face|look|picture|appearance)\b|\blook different\b|\bbe somebody else\b",
        ),
        (
            "Press Ctrl+O to choose another avatar, or Ctrl+Shift+O to open a picture of your own. You can also "
            "drop one on "
            "the window.",
        ),
    ),
    Fixed(
        (rf"{_HOW}.*\b(?:interrupt|cut) you\b|{_HOW}.*\bstop you\b|{_HOW}.*\bmake you (?:stop|quiet)\b",),
        ("Just start talking, or press Esc, and I'll stop.",),
    ),
    Fixed(
        (rf"{_HOW}.*\b(?:mute|unmute)\b|{_HOW}.*\b(?:turn|switch) (?:on |off )?(?:the |my )?(?:microphone|mic)\b",),
        ("Press M to turn the microphone on or off, and Ctrl+M to mute me.",),
    ),
    Fixed(
        (
            rf"{_HOW}.*\b(?:louder|quieter|volume|softer)\b",
            r"^(?:please )?(?:speak |talk |be )?(?:louder|quieter|speak up)(?: please)?$|\bi can not hear you\b",
        ),
        ("Press Ctrl+Up to make me louder and Ctrl+Down to make me quieter.",),
    ),
    Fixed(
        (rf"{_HOW}.*\b(?:full ?screen|compact window|small window|bigger window)\b|^full ?screen$",),
        ("Press F11 for full screen, and Ctrl+K for a small window.",),
    ),
    Fixed(
        (
            rf"{_HOW}.*\b(?:earlier|old|past|previous|saved|delete|new|private|reopen|other) (?:the |a |this )?"
            r"(?:conversations?|chats?|history)\b",
            r"\bstart over\b|\b(?:clear|delete) (?:the |this |our )?(?:history|chat|conversation)\b|\bforget "
            r"(?:everything|me)\b",
        ),
        (
            "Press Ctrl+H for earlier conversations, Ctrl+N for a new one, and Ctrl+Shift+N for a private one "
            "that is not "
            "saved.",
        ),
    ),
    Fixed(
        (
            rf"{_HOW}.*\b(?:change|choose|use) (?:your|another|a different|the) (?:\w+ )?voice\b|\bchange (?:your|"
            rf"the) voice\b",
            r"\bwhy (?:do you|does your voice|is your voice) (?:sound|so)\b",
        ),
        (
            "My own voice can't be changed here. A connected Qwen3-Omni endpoint has several, under Settings, "
            "Conversation.",
        ),
    ),
    Fixed(
        (
            r"\b(?:what|which|list|show|all|are there|help)\b.*\b(?:keys|shortcuts?|hotkeys?)\b",
            rf"{_HOW}.*\b(?:(?:talk|speak) (?:to|with) you|use (?:this|the) (?:app|program))\b",
        ),
        ("Just talk, or hold Space to speak, or type in the text box. F1 shows all the keys.",),
    ),
    Fixed(
        (rf"{_HOW}.*\b(?:settings|preferences)\b|^(?:open )?(?:the )?settings$",),
        ("Press Ctrl+, to open Settings.",),
    ),
)

LIMITS = (
    Fixed(
        (
            r"\bdo you believe in\b|\bwho (?:should|shall|do) (?:i|you) vote\b",
            r"\b(?:think|opinion|feel|believe)\b.*\b(?:about|on|of)\b.*\b(?:politics|politicians|religion|god|"
            r"abortion|war|"
            r"elections?|immigra\w+|islam|christian\w*|jew\w*|muslims?|trump|putin|israel|palestine|ukraine|russia)\b",
        ),
        ("I'm a program, so I leave such things to people. What do you believe?",),
    ),
    Fixed(
        (r"\b(?:can|should) i (?:trust|believe|rely on) (?:you|that|this)\b|\bare you (?:sure|lying|certain)\b",),
        ("I tell you what I know, but I'm a very small model. Check what matters.",),
    ),
    Fixed(
        (r"^(?:please |can you |could you )*(?:count|spell|dance|imagine|pretend|act|draw)\b",),
        ("That's not something I do well. Shall we just talk?",),
    ),
    Fixed(
        (
            r"\b(?:weather|forecast|going to rain|raining|snowing|news|headlines|stock price|share price|exchange "
            r"rate)\b"
            r"(?=.*\b(?:today|tomorrow|now|like|outside|this|in|latest)\b)",
            r"^(?:what is|how is|tell me|give me|any) (?:the |me |some )*(?:weather|forecast|news|headlines)\b",
            r"\bwho (?:won|is winning)\b|\bwho is the (?:current |new )?(?:\w+ )?(?:president|prime minister|pope|"
            r"king|queen|"
            r"chancellor|ceo)\b|\bwhat happened (?:today|yesterday|this week)\b",
            r"\b(?:bitcoin|price of|cost of|how much (?:is|does|are) (?:a|an|the) (?!\d))\b",
        ),
        (
            "I can't look that up: I'm offline, and what I learned may be out of date.",
            "I don't know, because I'm offline and can't see what happens outside.",
        ),
    ),
    Fixed(
        (
            r"\b(?:can|do) you (?:see|recogni[sz]e) (?:me|my face|us|this|what i)\b|\bwhat (?:do|can) you see\b",
            r"\bwhat am i (?:wearing|holding|doing)\b|\bhow do i look\b",
        ),
        ("I can hear you and read what you type, but I can't see anything: there is no camera.",),
    ),
    Fixed(
        (
            r"^(?:please |can you |could you |would you |will you )*(?:set|start|create) (?:a |an |me a |the )?"
            r"(?:timer|alarm|reminder)\b|\bremind me (?:to|at|in)\b|\bwake me\b",
            r"^(?:please |can you |could you |would you )*(?:play (?:a |some |me |the )*(?:\w+ )?(?:music|song)|"
            r"order|buy|book|"
            r"call (?:my|the|a)|(?:send|write) (?:a|an|my) (?:\w+ )?(?:e-?mail|message|letter)|turn (?:on|off) the)\b",
        ),
        ("I can't do that. I can only talk with you, and I'm glad to.",),
    ),
)
