"""What is said in the turns whose end is known, and by whom: parts that share no sentence and no voice."""

from __future__ import annotations

import enum


class Part(enum.Enum):
    """Numbers are chosen on the first and reported on the others; the last is looked at when everything is chosen."""

    FITTED = "fitted"
    REPORTED = "reported"
    UNSEEN = "unseen"


FLITE: dict[Part, tuple[str, ...]] = {
    Part.FITTED: ("slt", "kal16"),
    Part.REPORTED: ("rms", "awb"),
    Part.UNSEEN: (),
}
ESPEAK = {Part.FITTED: ("en-us",), Part.REPORTED: ("en-us+f3",), Part.UNSEEN: ("en-gb-scotland", "en-us+m3")}
PICO: dict[Part, tuple[str, ...]] = {Part.FITTED: (), Part.REPORTED: (), Part.UNSEEN: ("en-US", "en-GB")}
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
    Part.UNSEEN: (
        "What is your favourite season?",
        "Where can I buy stamps around here?",
        "Is the swimming pool heated in autumn?",
        "Why does bread go stale so quickly?",
        "Did anybody ring while I was out?",
        "When does the last tram leave?",
        "Whose umbrella is this?",
        "Would you mind speaking a little louder?",
        "Find me a quiet place to have lunch.",
        "Wake me up at a quarter to six.",
        "Write down that we are out of coffee.",
        "Explain to me what inflation means.",
        "Skip this song and turn the volume down.",
        "My knee has been hurting since the weekend.",
        "We had pancakes for breakfast again.",
        "The heating in my office has broken down.",
        "I am thinking of getting a second cat.",
        "Nobody told me that the meeting had been moved.",
        "Our neighbour plays the trumpet every night.",
        "I live at twenty one Rose Lane, next to the bakery.",
        "My number is five five two, nine oh three, one seven.",
        "The parcel goes to Harbour Street fourteen, third floor.",
        "The bill came to eighty six pounds and forty pence.",
        "We need eggs, butter, flour and a little cinnamon.",
        "I packed two jumpers, a raincoat, socks and my charger.",
        "The choir sings on Mondays, Wednesdays and every other Saturday.",
        "If you have a moment, I would like to show you something.",
        "Because the bridge was closed, we had to turn around.",
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
    Part.UNSEEN: (
        ("How far is it to, um,", "the nearest petrol station?"),
        ("I need to talk to, uh,", "somebody about my contract."),
        ("Put the meeting on, um,", "Thursday at three."),
        ("She told me that, uh,", "the shop had closed for good."),
        ("My address is, um,", "seventeen Mill Road."),
        ("Although I like my job,", "I would not mind a longer holiday."),
        ("When the children come home from school,", "they are always hungry."),
        ("The reason I am asking is,", "my landlord wants to sell the flat."),
        ("I bought carrots, onions,", "and a bag of rice."),
        ("First you peel the potatoes, and then,", "you cut them into thin slices."),
    ),
}
BRIEF = {
    Part.FITTED: (
        "What time is it?",
        "Who are you?",
        "Can you tell me a story?",
        "How are you?",
        "What is the weather like?",
        "Can you help me?",
        "Where do you live?",
        "What can you do?",
        "What does that mean?",
        "How old are you?",
        "Are you still there?",
        "What is your name?",
        "Do you like music?",
        "Could you repeat that?",
        "How does it work?",
        "What are you doing?",
        "Is it going to rain?",
        "Did you hear me?",
        "Where am I?",
        "What do you think?",
        "Tell me a joke.",
        "Sing me a song.",
        "Turn it up a little.",
        "Start again, please.",
        "Read it to me.",
        "Set a timer.",
        "I am hungry.",
        "That was funny.",
        "I would like a glass of water.",
        "My name is Martin.",
        "It is twenty past four.",
        "I have no idea.",
        "You are right.",
        "I do not like it.",
        "We are leaving now.",
        "Let me think about it.",
    ),
    Part.REPORTED: (),
    Part.UNSEEN: (
        "How do you feel?",
        "What day is it today?",
        "Who made you?",
        "Can you hear me?",
        "Do you speak Spanish?",
        "What else do you know?",
        "Are we late?",
        "How much is it?",
        "Is that true?",
        "Where were we?",
        "What happened?",
        "Call my sister.",
        "Open the window.",
        "Give me a hint.",
        "Try another one.",
        "Play something else.",
        "I am tired.",
        "It was not me.",
        "That sounds good.",
        "I changed my mind.",
        "She is my aunt.",
        "Ten past eleven.",
        "Room two hundred and five.",
        "Not today, thanks.",
    ),
}
"""Short turns that are complete: questions, orders, statements."""
SHORT = {
    Part.FITTED: ("Yes, please.", "Wait.", "Good morning.", "Why not?", "Maybe later.", "Never mind.", "Okay."),
    Part.REPORTED: ("Hello.", "No, thank you.", "Stop.", "Tomorrow.", "I don't know.", "Go on.", "Really?"),
    Part.UNSEEN: (),
}
"""Turns of a few words, in which nobody pauses."""
RECORDED = {
    Part.REPORTED: """
motion/EDTalk_pose_source2_932c_0.npz 0.93-5.44 5.98-10.94 13.44-16.93 17.31-20.35 20.93-25.98 26.56-28.16 28.38-30.50
motion/EDTalk_pose_source2_932c_0.npz 31.17-36.93 38.75-41.89 42.27-44.51 44.90-47.71 48.45-54.46 55.04-57.63
motion/ControlTalk_drive_video_bad0_0.npz 2.62-4.29 5.31-9.92 10.78-16.61
motion/InfiniteTalk_ref_video_0753_0.npz 1.15-4.64 5.31-12.80
motion/LatentSync_demo3_video_936a_0.npz 6.14-8.99 10.08-15.17
motion/video-retalking_1_39a0_0.npz 0.03-2.50 3.52-4.64
motion/video-retalking_5_c7a9_0.npz 0.03-2.78
motion/AvatarForcing_user_3c8d_0.npz 0.80-3.46 4.61-9.31
speech/speech_5s.wav 0.19-3.90
""",
    Part.UNSEEN: """
speech/speech_long.wav 0.43-3.73 4.08-6.87 7.25-12.80
motion/AvatarForcing_user_3c8d_0.npz 12.11-15.84
azure/aboutSpeechSdk.wav 1.04-5.49 6.13-10.00 21.39-26.80 49.04-52.05
azure/katiesteve.wav 0.08-1.14 1.97-2.99 3.82-11.47 12.33-20.47 21.26-23.86 24.65-25.62 26.45-28.69
azure/chat_input_1.wav 0.14-1.75 2.51-4.53
azure/chat_input_2.wav 0.11-3.83 4.65-7.70 8.53-10.07 10.86-14.87 15.66-22.32 23.09-25.94 26.70-28.05 28.88-30.83
azure/whatstheweatherlike.wav 0.08-1.33
ten-vad/testset-audio-01.wav 0.46-8.50 8.91-11.52
ten-vad/testset-audio-05.wav 0.56-8.53
ten-vad/testset-audio-08.wav 0.24-9.60
ten-vad/testset-audio-10.wav 2.06-7.79
ten-vad/testset-audio-13.wav 1.26-3.38 4.56-10.19
ten-vad/testset-audio-14.wav 0.27-6.61
ten-vad/testset-audio-15.wav 0.43-2.64 2.83-4.72
ten-vad/testset-audio-17.wav 0.49-3.88
ten-vad/testset-audio-18.wav 5.33-7.28
ten-vad/testset-audio-19.wav 6.35-9.24
ten-vad/testset-audio-22.wav 1.26-8.18 11.50-13.97
ten-vad/testset-audio-24.wav 1.36-5.91
ten-vad/testset-audio-25.wav 5.58-8.21 8.49-15.31
ten-vad/testset-audio-27.wav 2.03-3.28 3.60-7.31
ten-vad/testset-audio-28.wav 2.99-5.30 5.77-7.17
ten-vad/testset-audio-30.wav 5.81-9.04
""",
}
"""Sentences in recordings of people, by their transcripts and pauses: seconds at which each begins and ends. They are
reported on; numbers are fitted on other people. azure: samples of Azure-Samples/cognitive-services-speech-sdk (MIT);
ten-vad: the testset of TEN-framework/ten-vad; both on github.com."""


def sentences(part: Part) -> tuple[str, ...]:
    """Everything that the synthetic voices say, as a whole."""
    hesitant = (f"{before} {after}" for before, after in HESITATIONS[part])
    return (*SENTENCES[part], *SHORT[part], *BRIEF[part], *hesitant)
