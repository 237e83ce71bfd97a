"""Chinese rubric: which option does the answer mean?"""

from __future__ import annotations

from typing import Final

__all__ = ["NAME", "VERSION", "prompt"]

NAME: Final = "option_letter_cn"
VERSION: Final = 1

_TEXT: Final = """\
请把回答对应到选项。下面有一道单选题、它的选项,以及某人用自己的话给出的回答。请判断这个回答指的是哪一个选项。\
只看回答的意思,不必判断它是否正确。如果回答不对应任何选项,或者无法确定唯一的选项,请输出 Z。\
只输出一个大写字母,不要输出其他内容。

示例一
问题: 围栏上坐着什么动物?
选项:
A. 鹦鹉
B. 松鼠
C. 小猫
D. 蜥蜴
回答: 一只年幼的猫
你的输出: C

示例二
问题: 围栏上坐着什么动物?
选项:
A. 鹦鹉
B. 松鼠
C. 小猫
D. 蜥蜴
回答: 一头大象
你的输出: Z

现在请完成
问题: {question}
选项:
{options}回答: {answer}
你的输出: """


def prompt(question: str, options: str, answer: str) -> str:
    """Returns what the judge is asked; `options` has one option per line, each ending in a newline."""
    return _TEXT.format(question=question, options=options, answer=answer)
