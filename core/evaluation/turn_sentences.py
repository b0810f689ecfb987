"""What is said in the turns whose end is known, and by whom: two parts that share no sentence and no voice."""

from __future__ import annotations

import enum


class Part(enum.Enum):
    """Numbers are chosen on the one and reported on the other."""

    FITTED = "fitted"
    REPORTED = "reported"


FLITE = {Part.FITTED: ("slt", "kal16"), Part.REPORTED: ("rms", "awb")}
ESPEAK = {Part.FITTED: ("en-us",), Part.REPORTED: ("en-us+f3",)}
SENTENCES = {
    Part.FITTED: (
        "Is there a bakery near the hotel that opens before eight?",
        "Remind me to water the plants when I come home.",
        "My brother wants to study engineering in Canada.",
        "What is the difference between a lake and a pond?",
        "I could not sleep because the neighbours were dancing.",
        "Would you explain how a bicycle stays upright?",
        "We bought a small house with a garden last spring.",
        "Play some quiet music while I am reading.",
        "Why do cats always land on their feet?",
        "I want to know how much sugar there is in a banana.",
        "Please read me the first page of that novel again.",
        "The train was late, so we missed the beginning of the play.",
        "How many people live in the north of Norway?",
        "Let us talk about something that makes you happy.",
        "Turn off the lights in the kitchen and lock the door.",
        "Have you ever thought about what happens to old ships?",
        "My doctor says that I should walk more and sit less.",
        "Which of these two shirts goes better with grey trousers?",
        "I forgot where I parked the car this morning.",
        "Could we practise a few words of Italian?",
        "Give me three ideas for a birthday present for my mother.",
        "It has been raining since we arrived on Sunday.",
        "What should I say when they ask me about my last job?",
        "I used to play chess with my grandfather every evening.",
    ),
    Part.REPORTED: (
        "What time does the museum open tomorrow?",
        "Can you tell me a story about a dragon?",
        "I went to the market yesterday and bought some apples.",
        "Could you help me write a letter to my landlord?",
        "My sister is getting married in June.",
        "Please set an alarm for seven in the morning.",
        "How do I get from the station to the old town?",
        "I think we should leave before it starts to rain.",
        "Tell me something interesting about the moon.",
        "What would you cook if you had only rice and eggs?",
        "I have been learning to play the piano since last winter.",
        "Do you know who wrote the book that I told you about?",
        "Who was the first woman to climb that mountain?",
        "I would rather stay at home and watch a film.",
        "Add milk, bread and two lemons to my shopping list.",
        "There was a strange noise in the engine on our way back.",
        "How long does it take to boil an egg?",
        "He never told his parents that he had left school.",
        "Does this medicine go together with coffee?",
        "When I was a child, we spent our summers by the sea.",
        "Show me how to fold a paper crane.",
        "The soup needs a little more salt and some pepper.",
        "Are there any good jobs for people who love maps?",
        "Let me know if the weather changes before noon.",
    ),
}
HESITATIONS = {
    Part.FITTED: (
        ("Could you look up the, um,", "opening hours of the library?"),
        ("I need a recipe with, uh,", "spinach and potatoes."),
        ("My flight leaves at, um,", "half past nine on Tuesday."),
        ("We met him in, uh,", "a little town near the border."),
        ("Who is the president of, um,", "the football club in Turin?"),
        ("I was going to ask whether, uh,", "you know a song about the river."),
        ("The colour is more like, um,", "a dark green."),
        ("Please call, uh,", "my neighbour on the second floor."),
        ("She works as a, um,", "translator for the city."),
        ("It happened because, uh,", "nobody had closed the window."),
    ),
    Part.REPORTED: (
        ("I would like to book a table for, um,", "four people on Friday evening."),
        ("Can you remind me to, uh,", "call the dentist tomorrow?"),
        ("The film was called, um,", "the bridge on the river."),
        ("I was wondering if you could, uh,", "explain how a rainbow is made."),
        ("We are going to visit my, um,", "grandmother in Ireland."),
        ("What is the name of the, uh,", "capital of Australia?"),
        ("I have two sisters and, um,", "a brother who lives abroad."),
        ("The next bus goes from, uh,", "the square behind the church."),
        ("Do you think that, um,", "plants can hear music?"),
        ("My favourite meal is, uh,", "lentils with rice and lemon."),
    ),
}
SHORT = {
    Part.FITTED: ("Yes, please.", "Wait.", "Good morning.", "Why not?", "Maybe later.", "Never mind.", "Okay."),
    Part.REPORTED: ("Hello.", "No, thank you.", "Stop.", "Tomorrow.", "I don't know.", "Go on.", "Really?"),
}
"""Turns of a few words, in which nobody pauses."""
RECORDED = """
motion/EDTalk_pose_source2_932c_0.npz 0.93-5.44 5.98-10.94 13.44-16.93 17.31-20.35 20.93-25.98 26.56-28.16 28.38-30.50
motion/EDTalk_pose_source2_932c_0.npz 31.17-36.93 38.75-41.89 42.27-44.51 44.90-47.71 48.45-54.46 55.04-57.63
motion/ControlTalk_drive_video_bad0_0.npz 2.62-4.29 5.31-9.92 10.78-16.61
motion/InfiniteTalk_ref_video_0753_0.npz 1.15-4.64 5.31-12.80
motion/LatentSync_demo3_video_936a_0.npz 6.14-8.99 10.08-15.17
motion/video-retalking_1_39a0_0.npz 0.03-2.50 3.52-4.64
motion/video-retalking_5_c7a9_0.npz 0.03-2.78
motion/AvatarForcing_user_3c8d_0.npz 0.80-3.46 4.61-9.31
speech/speech_5s.wav 0.19-3.90
"""
"""Sentences in recordings of people, by their transcripts and pauses: seconds at which each begins and ends. They are
reported on; numbers are fitted on other people."""


def sentences(part: Part) -> tuple[str, ...]:
    """Everything that the synthetic voices say, as a whole."""
    return (*SENTENCES[part], *SHORT[part], *(f"{before} {after}" for before, after in HESITATIONS[part]))
