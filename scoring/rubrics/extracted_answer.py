"""English rubric: what is the short answer that a long analysis of a document comes to?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "VERSION", "prompt"]

NAME: Final = "extracted_answer"
VERSION: Final = 1

_TEXT: Final = """\
Below are a question about a document and what somebody wrote in reply, the analysis. Find the answer that the \
analysis comes to and write it down as briefly as it can be. Do not answer the question yourself, and do not correct \
the analysis: it counts as it is, right or wrong.
- Reply with two lines and nothing else. The first begins with "Extracted answer:", the second with "Answer format:", \
which is one of Integer, Float, String and List.
- Keep names, numbers, dates and codes as the analysis writes them. Several answers to one question are a list, \
written as ['one', 'two'].
- If the analysis says that the document does not hold the answer, the extracted answer is: Not answerable
- If the analysis says that it cannot see or read the pictures or the document, the extracted answer is: Fail to answer
- Both are of the format String.

---
Question: Which two harbours does the timetable on the third page name?
Analysis: The third page shows a timetable of ferries. Its first column holds the ports of call, and the two that are \
named there are Rostock and Gedser.
Extracted answer: ['Rostock', 'Gedser']
Answer format: List

---
Question: How many more visitors came in 2019 than in 2018?
Analysis: According to the chart there were 18,240 visitors in 2019 and 17,915 in the year before. The difference is \
therefore 325 visitors.
Extracted answer: 325
Answer format: Integer

---
Question: Who painted the portrait on the cover?
Analysis: The cover shows a portrait of a woman with a fan. Neither the cover nor the imprint names whoever painted \
it, so the document does not tell.
Extracted answer: Not answerable
Answer format: String

---
Question: What share of the budget goes to repairs?
Analysis: I am sorry, but the pages that you sent do not open for me, so that I cannot say anything about the budget.
Extracted answer: Fail to answer
Answer format: String

---
Question:{question}
Analysis: {analysis}"""


def prompt(question: str, analysis: str) -> str:
    """Returns what the judge is asked: four worked examples, then the question and the analysis to read."""
    return _TEXT.format(question=question, analysis=analysis)
