"""What is said into a reply, and by whom: parts that share no voice, and no sentence that is longer than a sign."""

from __future__ import annotations

from core.evaluation.turn_sentences import Part

CORE_SIGNS = ("Yeah.", "Right.", "Okay.", "Yes.", "Really?", "Sure.", "Oh.", "I see.")
"""The commonest signs of listening, in every part: nobody says "yeah" in other words."""
_MORE_SIGNS = {
    Part.FITTED: """
Mm-hmm.|Uh-huh.|Hmm.|Wow.|Good.|Exactly.|Of course.|Yep.|Nice.|Great.|Cool.|True.|Ah.|Aha.|Oh, really?|Yeah, yeah.
That's right.|Oh wow.|Oh okay.|Got it.|All right.|Absolutely.|Yes, yes.|Okay, okay.|Interesting.|Makes sense.
""",
    Part.REPORTED: """
Mm-hmm.|Uh-huh.|Wow.|Exactly.|Of course.|Great.|Oh, I see.|Yeah, right.|Right, right.|Oh yes.|Ah, okay.
""",
}
SIGNS = {part: (*CORE_SIGNS, *text.strip().replace("\n", "|").split("|")) for part, text in _MORE_SIGNS.items()}
FLITE = {Part.FITTED: ("rms",), Part.REPORTED: ("awb", "kal16", "slt")}
ESPEAK = {
    Part.FITTED: """
en-us 150|en-us+m1 175|en-us+f1 165|en-us+f4 180|gmw/en 165|gmw/en+m2 150|gmw/en+f2 185|en-us+Andy 170|en-us+Annie 175
en-gb-scotland+m7 165|en-us+Michael 190|en-gb-x-rp+linda 160|en-us+Denis 165|en-us+steph 175|en-029+m4 170
en-us+Gene 185|en-us+Mario 160|gmw/en+Lee 175|en-us+anika 165|gmw/en+belinda 180|en-us+Zac 170|gmw/en+klatt2 165
en-us+klatt4 175|en-gb-x-gbclan+m6 170|en-us+Alicia 165|en-us+victor 190
""",
    Part.REPORTED: "en-us+f3 170|en-us+m3 155|gmw/en+f5 175|gmw/en+Alex 185|en-us+Storm 165",
}
"""Voice and words a minute."""
INTERRUPTIONS = {
    Part.FITTED: """
Wait, what did you just say?
Stop, I have heard enough.
Stop it.
Stop talking, please.
Hold on, I did not get that.
Hold on a second.
Hang on, that is too fast.
Hey, listen to me.
Hey, can I say something?
Sorry, I did not catch the last part.
Sorry to interrupt, but I have to go.
Excuse me, what was that?
Can I ask you something?
Can we talk about music instead?
Could you speak a little slower?
Could you repeat the number?
What about the other train?
What does that mean?
What do you think of him?
Why did she leave?
Why not?
How much does it cost?
How do you know all this?
Who was the first one?
Where is that place?
When did it happen?
Which one do you prefer?
Tell me about your family.
Tell me a joke.
But that is not true.
But I thought it was closed on Sundays.
But why would he do it?
I do not want to hear this.
I want to know something else.
I think we should stop here.
I need to go now.
I have a different question.
I meant the red one.
I'm not sure I agree.
No, not that one.
No, thank you.
No, I said Tuesday.
No no no, listen.
That is enough.
That is wrong.
That's not what I asked.
Thank you, that is enough.
Please stop.
Please be quiet for a moment.
Let me think about it.
Let me say something.
Let's talk about something else.
Do you know what time it is?
Did you hear the news?
Is that really the case?
Is it going to rain tomorrow?
Are you sure about that?
Actually, I wanted the shorter version.
Actually, never mind.
Never mind.
Enough.
Be quiet.
Shut up.
One moment please.
One more question.
Just a second.
Just give me the short answer.
Give me an example.
Go back to the beginning.
Go on to the next one.
Next question.
Skip this part.
Repeat that, please.
Turn it down a little.
My name is Martin.
My sister said something else.
You already told me that.
You said it was free.
You are talking too fast.
The weather is nice today.
The second one, please.
It was not me.
It doesn't work like that.
We should talk about the plan.
We don't have time for this.
So what should I do now?
So you mean it is impossible?
And what about the children?
And then what happened?
Well, I would rather hear about Spain.
Well, that depends.
Listen, I have to tell you something.
Look, this is not helping.
Would you mind starting again?
Should I take the bus?
Does it hurt?
Have you been to Rome?
They never came back.
He is my brother.
This is boring.
There is somebody at the door.
Forget it.
Quiet, please.
Pause.
Cancel that.
Help me with this letter.
Show me the list.
Play some music.
Change the subject.
Maybe later.
Not now.
Nope.
Okay, stop now.
Yeah, but what about the price?
Yes, but I do not like it.
Right, and what happened then?
Oh, I forgot to tell you something.
Oh no, that is terrible, wait.
Okay, but who paid for it?
Sure, but not today.
Good, now tell me about the other one.
""".strip().splitlines(),
    Part.REPORTED: """
Wait, I have another question.
Stop, that is not what I meant.
Can you say that again, please?
Hold on, who told you about it?
No, I wanted the other one.
Tell me about something else.
Stop.
Wait.
No.
No, stop.
Wait a minute.
Hey, stop that.
Sorry, could you say that again?
Excuse me, I have a question.
Hang on, let me write that down.
What is the name of the book?
What was that?
Why is the sky blue?
How long does it take?
Who wrote it?
Where can I buy one?
When does the shop open?
But what if it rains?
But you said the opposite.
I don't understand that word.
I would like something different.
I know that already.
I was asking about the dog.
That's enough, thanks.
That was not my question.
Please talk about something else.
Please, not so loud.
Let me finish.
Do you speak French?
Is there a shorter way?
Are we done?
Actually, I changed my mind.
Just tell me the answer.
One question.
Give me the address again.
You mean my cousin?
You got that wrong.
The first answer was better.
It is too late for that.
We were talking about cheese.
So where does it come from?
And who paid for that?
Well, let me explain.
Listen, there is a problem.
Would it work with milk?
Did he say why?
They told me something else.
Enough of that.
Never mind, go on with the story.
Skip that.
Be quiet please.
Not that one.
Okay, now something else, please.
Yeah, but is it safe?
Right, but how do I get there?
Yes, and how much is it?
Oh, one more thing, where is the key?
""".strip().splitlines(),
}
