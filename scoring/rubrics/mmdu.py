"""English rubric: how good is one answer of a dialogue about pictures, from 1 to 10 in six respects and as a whole?"""

from __future__ import annotations

from typing import Final

__all__ = ["DIMENSIONS", "NAME", "VERSION", "prompt"]

NAME: Final = "mmdu"
VERSION: Final = 1

DIMENSIONS: Final = (
    "Creativity",
    "Richness",
    "Visual Perception",
    "Logical Coherence",
    "Answer Accuracy",
    "Image Relationship Understanding",
    "Overall Score",
)
"""What is graded, in the order of the result table."""

_TEXT: Final = """\
An assistant talks with a user about one or several pictures that you cannot see. You grade one of its answers. Below \
are the user's question, a reference answer that you may take for good and right, and the assistant's answer. Let the \
reference answer tell you what is in the pictures.

Grade these respects one after the other. For each of them first say in a sentence or two what is good and what is \
missing, then settle on a whole number from 1 to 10:
- Creativity: does the answer bring thoughts of its own that help the user?
- Richness: does it cover all that the question asks for, with enough detail and background?
- Visual Perception: does it describe what can be seen truly, without inventing anything?
- Logical Coherence: do its statements follow from each other, without contradiction?
- Answer Accuracy: is what it says right, compared with the reference answer?
- Image Relationship Understanding: does it tell the pictures apart and relate them as the question wants?
At last settle on the Overall Score, again from 1 to 10, which weighs all of these together.

1 or 2 is an answer that is of no use or wrong, 3 or 4 one with grave faults, 5 or 6 one that is partly right, 7 or 8 \
one about as good as the reference answer, 9 or 10 one that is clearly better than it. Be strict, and do not let \
length alone impress you.

End your reply with a dictionary of the grades, one line in this form, and use curly braces nowhere else:
{{'Creativity': 5, 'Richness': 6, 'Visual Perception': 4, 'Logical Coherence': 7, 'Answer Accuracy': 5, \
'Image Relationship Understanding': 6, 'Overall Score': 5}}

[Question]
{question}

[The Start of Reference Answer]
{reference}
[The End of Reference Answer]

[The Start of Assistant's Answer]
{answer}
[The End of Assistant's Answer]
"""


def prompt(question: str, reference: str, answer: str) -> str:
    """Returns what the judge is asked about one turn."""
    return _TEXT.format(question=question, reference=reference, answer=answer)
