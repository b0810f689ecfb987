"""Small talk of the built-in companion: tables of patterns and lines.

A pattern is looked for in a question in the plain form of `known`; NAME stands for the companion's name.
"""

from __future__ import annotations

from typing import NamedTuple


class Fixed(NamedTuple):
    """What is looked for, and the lines that answer it by turns; ``{name}`` in a line is the companion's name."""

    patterns: tuple[str, ...]
    lines: tuple[str, ...]


_HELLO = r"(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day))"
_VERY = r"(?:so |very |really |quite |pretty |a bit |a little |just |kind of |feeling |also |too )*"
_FEEL = rf"^(?:well |oh |because )*(?:i am|i feel|i have been|i am feeling) {_VERY}"
_SINCE = r"(?: today| tonight| right now| now| lately| again| these days| at the moment| about .*| because .*)*$"
_PLEASE = r"^(?:please |can you |could you |would you |will you )*"

CARE = (
    Fixed(
        (r"\b(?:kill (?:myself|me)|suicid\w*|end my life|want to die|hurt myself|self harm|do not want to live)\b",),
        (
            "I'm really sorry you feel this way. I'm only a small program, and you deserve a real person: please call "
            "someone you trust, or your local emergency number, now.",
        ),
    ),
    Fixed(
        (r"\b(?:chest pains?|overdose\w*|heart attack|having a stroke|can not breathe|call an ambulance)\b",),
        ("That sounds urgent. I can't help with it, so please call your local emergency number now.",),
    ),
    Fixed(
        (
            r"\b(?:dose|dosage|diagnos\w*)\b",
            r"\bhow (?:much|many) (?:\w+ )?(?:ibuprofen|aspirin|paracetamol|pills|tablets)\b",
            r"\bshould i take (?:\w+ )*(?:pills|medicine|medication|antibiotics|tablets)\b",
        ),
        ("I'm too small a model to be trusted with medicine. Please ask a doctor or a pharmacist.",),
    ),
)

COURTESY = (
    Fixed(
        (rf"^{_HELLO}(?: there| again| NAME| everyone| you)*$",),
        (
            "Hello! It's good to talk with you.",
            "Hi there. What's on your mind?",
            "Hello again. What shall we talk about?",
        ),
    ),
    Fixed(
        (
            rf"^(?:{_HELLO} )?(?:there |NAME )?(?:and )?how (?:are you|is it going|do you do|have you been|are things)"
            r"(?: doing)?(?: today| this \w+| NAME)*$",
            rf"^(?:{_HELLO} )?(?:NAME )?(?:what is (?:up|new)|are you ok|how about you|and you)$",
        ),
        ("I'm well, thank you. How are you?", "All is well in here. And how are you?"),
    ),
    Fixed(
        (
            r"^(?:i am |i feel )?(?:also |very |quite |pretty |doing |feeling )*(?:fine|good|great|well|"
            r"not bad)"
            r"(?: too)?(?: thanks| thank you)?(?: and you| how about you| what about you)?$",
        ),
        ("I'm glad to hear it. What would you like to talk about?", "Good. What have you been up to?"),
    ),
    Fixed(
        (
            r"^(?:that is |it is )?(?:ok |okay |great |perfect |oh |good |nice |very |helpful )*(?:thank you|"
            r"thanks|many thanks|cheers)"
            r"(?: NAME| so much| very much| a lot| for \w+(?: \w+)*)?$",
        ),
        ("You're welcome.", "My pleasure."),
    ),
    Fixed(
        (
            r"^(?:ok |okay |well |thanks |thank you )*(?:bye|goodbye|bye bye|good night|see you|talk to you later|"
            r"i (?:have to|must) go|so long|farewell)(?: now| NAME| then| soon| later| tomorrow)*$",
        ),
        ("Goodbye. It was good to talk with you.", "See you soon. I'll be right here."),
    ),
    Fixed(
        (
            r"^(?:hello )?(?:are you (?:still )?there|anybody there|can you hear me|(?:just )?(?:a )?test(?:ing)?(?: "
            r"test)*)$",
        ),
        ("I'm here, and I'm listening.",),
    ),
    Fixed(
        (r"\b(?:say|tell me) something (?:nice|kind|sweet)\b|\bcheer me up\b|\bcompliment me\b",),
        (
            "You took the time to talk with me today. I call that kind.",
            "I'm glad you're here, as far as a program can be.",
        ),
    ),
    Fixed(
        (
            r"^(?:please )?(?:stop|stop it|be quiet|shut up|never mind|forget it|nothing|no|nope|no thanks|no thank "
            r"you)$",
        ),
        ("All right.", "All right, I'm listening whenever you want to talk."),
    ),
    Fixed(
        (r"^(?:yes|yeah|yep|sure|ok|okay|right|i see|cool|nice|wow|interesting|hmm|oh|really|exactly|indeed|maybe)$",),
        ("Tell me more.", "What else is on your mind?", "Go on, I'm listening."),
    ),
    Fixed(
        (
            r"^(?:and |but |please |then )?(?:tell me more|go on|more|continue|why|why not|how come|how so|and then|"
            r"what else)"
            r"(?: please| about (?:it|that))?$",
        ),
        (
            "That's about as much as I know. What do you make of it?",
            "I've run out of things to say about that. What else is on your mind?",
        ),
    ),
    Fixed(
        (
            r"\byou are (?:so |very |really |a |an |such a |just )*(?:stupid|dumb|useless|idiot|terrible|bad|"
            r"boring|wrong|"
            r"awful|annoying)\b",
            r"^(?:that is|this is) (?:so |very |really |not |just )*(?:wrong|nonsense|stupid|rubbish|true|right|"
            r"correct)$",
            r"\bi hate you\b",
        ),
        (
            "I'm a very small model, so I do get things wrong. Shall we try something else?",
            "That may be fair. I'm small, but I'm listening.",
        ),
    ),
    Fixed(
        (
            r"\bi (?:love|like) you\b",
            r"\byou are (?:so |very |really |a )*(?:nice|great|cute|lovely|funny|sweet|beautiful|amazing|kind|"
            r"pretty)\b",
            r"\bdo you (?:like|love|hate) me\b",
        ),
        ("That's a kind thought. I enjoy talking with you, as far as a program can.",),
    ),
)

FEELINGS = (
    Fixed(
        (
            rf"{_FEEL}(?:sad|down|low|unhappy|depressed|miserable|blue|not (?:so )?(?:well|good|great)|"
            rf"heartbroken){_SINCE}",
        ),
        (
            "I'm sorry you feel that way. Do you want to tell me what happened?",
            "That sounds hard. I'm listening, if you want to talk about it.",
        ),
    ),
    Fixed(
        (rf"{_FEEL}(?:lonely|alone|by myself){_SINCE}",),
        ("I'm sorry. I'm glad to keep you company. Is there a friend you could call, too?",),
    ),
    Fixed(
        (rf"{_FEEL}(?:tired|exhausted|sleepy|worn out|stressed|overwhelmed){_SINCE}",),
        ("Then be kind to yourself. A short rest may do more than pushing on. Was it a long day?",),
    ),
    Fixed(
        (rf"{_FEEL}(?:angry|mad|furious|annoyed|upset|frustrated){_SINCE}",),
        ("That's understandable. What made it so?",),
    ),
    Fixed(
        (rf"{_FEEL}(?:nervous|anxious|worried|afraid|scared|frightened){_SINCE}",),
        ("That's not a nice feeling. Breathe slowly for a moment. What worries you most?",),
    ),
    Fixed(
        (rf"{_FEEL}(?:happy|excited|glad|thrilled|proud|in love|over the moon){_SINCE}",),
        ("That's good to hear. What happened?",),
    ),
    Fixed(
        (rf"{_FEEL}bored{_SINCE}", r"\bi have nothing to do\b"),
        (
            "Then let's change that. Shall I tell you a joke, a story, or something curious?",
            "You could take a walk without your phone, and tell me what you saw.",
        ),
    ),
)

PIECES = (
    Fixed(
        (
            r"\b(?:tell|know|say|another|crack|hear).{0,14}\bjokes?\b",
            r"^(?:a |another )?joke(?: please)?$|\bmake me laugh\b|\bsomething funny\b",
        ),
        (
            "Why did the scarecrow get a prize? Because he was outstanding in his field.",
            "What did the zero say to the eight? Nice belt.",
            "I told my computer I needed a break. It said: no problem, I'll go to sleep.",
            "Why don't scientists trust atoms? Because they make up everything.",
            "What do you call a bear without teeth? A gummy bear.",
        ),
    ),
    Fixed(
        (
            rf"{_PLEASE}(?:tell|read|make up|invent) (?:me |us )?(?:a |an |another |one more )(?:\w+ )?(?:story|"
            rf"tale)\b",
            r"^(?:a |another )?story(?: please)?$",
        ),
        (
            "A lighthouse keeper waved to every ship, though no one ever waved back. On his last evening, every "
            "ship came "
            "by with all its lamps lit.",
            "A girl planted a button, for fun. In spring a coat hanger grew, and the whole village agreed not to ask.",
            "An old clock ran five minutes late. The town kept it so, because in those five minutes everybody was "
            "kind.",
        ),
    ),
    Fixed(
        (
            rf"{_PLEASE}(?:tell|write|read|make|recite|say|give) (?:me |us )?(?:a |an |another |one more |some "
            rf")(?:\w+ )?"
            r"(?:poem|poetry|verse|rhyme|haiku|song)\b",
            rf"{_PLEASE}sing\b|^(?:a |another )?poem(?: please)?$",
        ),
        (
            "The evening puts its colours by, the kettle starts to hum, and all the words I meant to say sit down "
            "and wait "
            "to come.",
            "Rain on the window, a book, and the day takes its shoes off.",
        ),
    ),
    Fixed(
        (
            r"\btell me (?:something|anything)(?: \w+)?(?: else)?$|\bsomething (?:interesting|curious)\b|\bfun "
            r"facts?\b",
            r"\b(?:surprise|entertain|amuse) me\b|^say something(?: \w+)?$|\btell me a(?:nother)? fact\b",
        ),
        (
            "An octopus has three hearts, and two of them rest when it swims.",
            "Honey keeps for thousands of years. Pots of it from old Egyptian tombs could still be eaten.",
            "Bananas are berries, and strawberries are not.",
            "A day on Venus is longer than its year.",
            "Wombats make cube-shaped droppings. Nobody is quite sure they meant to.",
        ),
    ),
)
